"""The line that a pass over pictures ends with: how many, how fast, what bound it."""

from __future__ import annotations

from collections.abc import Sequence

PARTS = ("decode", "arithmetic", "encode and write")


def pace(stage: str, count: int, unit: str, seconds: float, spent: Sequence[float]) -> str:
    """One sentence.

    Args:
        stage: its name.
        count: pictures made.
        unit: what they are called.
        seconds: wall clock of the pass.
        spent: seconds of all workers together in each of `PARTS`.
    """
    total = max(sum(spent), 1e-9)
    shares = ", ".join(f"{name} {part / total:.0%}" for name, part in zip(PARTS, spent, strict=True))
    bound = PARTS[max(range(len(PARTS)), key=lambda i: spent[i])]
    return f"{stage}: {count} {unit}, {count / max(seconds, 1e-9):.0f}/s, bound by {bound} ({shares})"
