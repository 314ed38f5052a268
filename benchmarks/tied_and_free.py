"""Draws two comparisons of the same models: by a validation set that shares a shortcut, and without it.

    cleanplate compare … --json > TIED.json;  cleanplate compare … --answers TRUTH.csv --json > FREE.json
    python -m benchmarks.tied_and_free TIED.json FREE.json PICTURE.png [VARIANT=words …]

A row per pair that both have, or per VARIANT named: the paired difference in macro-F1 with its 95 % interval.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from cleanplate.comparison.plot import COLOURS
from pipeline.io.atomic import atomic_file

SIDES = {"tied": ("o", -0.16), "free": ("D", 0.16)}  # marker, and how far from the middle of the row
WORDS = {
    "tied": "validation: backgrounds tied to age, as in training",
    "free": "test: backgrounds say nothing",
}


def differences(path: Path) -> dict[str, tuple[dict[str, float], str]]:
    """Of each variant its difference in macro-F1 (`value`, `low`, `high`), and the verdict."""
    pairs: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["pairs"]
    return {pair["variant"]: (pair["differences"]["macro_f1"], pair["verdict"]) for pair in pairs}


def draw(found: dict[str, dict[str, tuple[dict[str, float], str]]], rows: dict[str, str], path: Path) -> None:
    """Writes the picture.

    Args:
        found: `differences` by side of SIDES.
        rows: words by variant, in order from the top.
        path: a PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(7.6, 1.3 + 0.62 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.axvline(0, color="black", linewidth=0.8)
    for place, variant in enumerate(rows):
        for side, (marker, shift) in SIDES.items():
            d, verdict = found[side][variant]
            colour, y = COLOURS[verdict], place + shift
            axis.plot([d["low"], d["high"]], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
            face = "white" if side == "tied" else colour
            axis.plot(d["value"], y, marker, color=colour, markerfacecolor=face, markersize=6)
            said = f"{d['value']:+.3f} {verdict}".replace("-", "−")
            axis.annotate(said, (d["high"], y), (5, 0), textcoords="offset points", va="center", fontsize=7.5)
    axis.set_yticks(range(len(rows)), list(rows.values()), fontsize=9)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.margins(x=0.2)
    axis.set_xlabel("difference in macro-F1, paired, 95 % interval over people", fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", linewidth=0.3)
    style: dict[str, Any] = {"color": "#5e5e5e", "linestyle": "none", "markersize": 6}
    marks = [
        Line2D([], [], marker=m, label=WORDS[s], markerfacecolor="white" if s == "tied" else None, **style)
        for s, (m, _) in SIDES.items()
    ]
    figure.legend(handles=marks, loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    with atomic_file(path) as part:
        figure.savefig(part, format="png", dpi=110, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tied", type=Path)
    parser.add_argument("free", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("rows", nargs="*", metavar="VARIANT=words")
    given = parser.parse_args()
    found = {"tied": differences(given.tied), "free": differences(given.free)}
    both = [variant for variant in found["tied"] if variant in found["free"]]
    rows = dict(row.split("=", 1) for row in given.rows) or {variant: variant for variant in both}
    if missing := [variant for variant in rows for side in found.values() if variant not in side]:
        parser.error(f"{missing[0]} is not in both comparisons")
    draw(found, rows, given.picture)


if __name__ == "__main__":
    main()
