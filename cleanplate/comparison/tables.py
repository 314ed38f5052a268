"""Prints the comparison as tables: with borders on a terminal, as plain columns elsewhere."""

from __future__ import annotations

import sys
from typing import Any

TITLES = {
    "macro_f1": "macro-F1",
    "mask.macro_f1": "mask F1",
    "gender.macro_f1": "gender F1",
    "age.macro_f1": "age F1",
}
COLOURS = {"better": "green", "worse": "red", "same": "blue", "cannot tell": "yellow"}
MAX_FLIPS = 20


def print_tables(result: dict[str, Any], people: bool) -> None:
    """Prints the result of `as_json` as tables."""
    pooled = any(n > 1 for n in result["seeds"].values())
    over = "over people and seeds; scores are means over seeds" if pooled else "bootstrapped over people"
    _print(f"Scores on {result['people']} people, {result['photos']} photos; intervals 95 %, {over}")
    rows = [
        [
            f"{name} ({result['seeds'][name]} seeds)" if result["seeds"][name] > 1 else name,
            *[_with_interval(scores[s]) for s in TITLES],
        ]
        for name, scores in result["scores"].items()
    ]
    _table(["", *TITLES.values()], rows)
    _print(
        "\nDifferences, paired on the people whom both sides answer; p corrected (Holm) for all comparisons"
    )
    rows = [_difference_row(pair) for pair in result["pairs"]]
    costs = any(pair["cost"] for pair in result["pairs"])
    _table(
        [
            "variant",
            "against",
            "macro-F1",
            "p",
            "corrected",
            "mask",
            "gender",
            "age",
            *(["cost"] if costs else []),
        ],
        [row if costs else row[:-1] for row in rows],
    )
    _print("")
    for pair in result["pairs"]:
        _print(pair["sentence"], COLOURS[pair["verdict"]])
        for line in _what_differs(pair):
            _print(f"    {line}")
        if people:
            _flips(pair)
    for note in result["notes"]:
        _print(f"note: {note}")


def _with_interval(score: dict[str, float]) -> str:
    return f"{score['value']:.3f} ({score['low']:.3f}–{score['high']:.3f})"


def _difference_row(pair: dict[str, Any]) -> list[str]:
    d = pair["differences"]
    head = d["macro_f1"]
    return [
        pair["variant"],
        pair["reference"],
        f"{head['value']:+.3f} ({head['low']:+.3f} to {head['high']:+.3f})",
        f"{head['p']:.4f}",
        f"{head['p_corrected']:.4f}",
        *[f"{d[f'{task}.macro_f1']['value']:+.3f}" for task in ("mask", "gender", "age")],
        _cost(pair["cost"]),
    ]


def _cost(cost: dict[str, Any]) -> str:
    parts = []
    if "seconds" in cost:
        parts.append(f"{cost['seconds']:.0f} s")
    if "photos" in cost:
        parts.append(f"{cost['photos']} photos")
    if "stages" in cost:
        parts.append(f"runs {', '.join(cost['stages'])}" if cost["stages"] else "runs nothing")
    return "; ".join(parts)


def _what_differs(pair: dict[str, Any]) -> list[str]:
    lines = [f"{name}: {before} → {after}" for name, (before, after) in pair["params"].items()]
    code = pair["code"]
    if code:
        lines.append(f"the code differs too: {', '.join(code[:5])}{' …' if len(code) > 5 else ''}")
    return lines


def _flips(pair: dict[str, Any]) -> None:
    people = pair["flipped_people"]
    if not people:
        _print("    no predictions change")
        return
    _print(
        f"    {len(people)} people with changed predictions (mended: wrong → right; broken: right → wrong):"
    )
    keys = ("person", "photos", "mended", "broken", "other")
    rows = [
        [f"{p[k]:.1f}" if isinstance(p[k], float) else str(p[k]) for k in keys] for p in people[:MAX_FLIPS]
    ]
    _table(["person", "photos", "mended", "broken", "other"], rows)
    if len(people) > MAX_FLIPS:
        _print(f"    … and {len(people) - MAX_FLIPS} more (--json lists all)")


def _print(text: str, colour: str | None = None) -> None:
    from rich.text import Text

    _console().print(Text(text, style=colour or ""), soft_wrap=True)


def _table(columns: list[str], rows: list[list[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*[Text(cell) for cell in row])
    _console().print(table)


def _console() -> Any:
    from rich.console import Console

    return (
        Console(highlight=False)
        if sys.stdout.isatty()
        else Console(highlight=False, width=250, color_system=None)
    )
