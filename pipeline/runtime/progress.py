"""Progress on everything that takes more than two seconds: a bar on a terminal, a calm line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TypeVar, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.runtime.terminal import Screen, unheard

T = TypeVar("T")
CALM_SECONDS = 30.0


def say(text: str) -> None:
    """One line for the user, on stderr, so that a command's output stays usable in a pipe."""
    with unheard():
        print(text, file=sys.stderr, flush=True)


def track(items: Iterable[T], total: int, label: str, unit: str = "photos") -> Iterator[T]:
    """Yields `items` and shows how far, how fast and how long yet.

    On a terminal a bar; elsewhere one line every 30 s, nothing at all for short work.
    """
    if sys.stderr.isatty():
        yield from _bar(items, total, label, unit)
    else:
        yield from _lines(items, total, label, unit)


def _bar(items: Iterable[T], total: int, label: str, unit: str) -> Iterator[T]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(file=cast(IO[str], Screen()))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=total, rate="")
        start = time.monotonic()
        for n, item in enumerate(items, 1):
            yield item
            seconds = max(time.monotonic() - start, 1e-9)
            progress.update(task, completed=n, rate=f"{n / seconds:.1f} {unit}/s")


def _lines(items: Iterable[T], total: int, label: str, unit: str) -> Iterator[T]:
    start = last = time.monotonic()
    for n, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= CALM_SECONDS:
            last = now
            rate = n / (now - start)
            say(f"{label}: {n}/{total} {unit}, {rate:.1f}/s, {(total - n) / max(rate, 1e-9):.0f} s left")


PARTS = ("decode", "arithmetic", "encode and write")


def throughput_line(stage: str, count: int, unit: str, seconds: float, spent: Sequence[float]) -> str:
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
