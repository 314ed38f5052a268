"""Draws scores of the same models: on a validation set that shares training's shortcut, and without it.

    cleanplate compare … --json > TIED.json;  cleanplate compare … --answers TRUTH.csv --json > FREE.json
    python -m benchmarks.tied_and_free TIED.json FREE.json PICTURE.png NAME=words …

A row per NAME, of an experiment that both comparisons have: macro-F1 of the 18 classes and of age, with 95 %
intervals over people. A line break in the words is one in the picture.

docs/tied.json and docs/free.json hold the `scores` of `cleanplate sweep examples/sweeps/competition.yaml
--compare --json`, rounded, without and with `--answers`. docs/results.md has the whole drawing command.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pipeline.io.atomic import atomic_file

PANELS = {"macro_f1": "macro-F1, 18 classes", "age.macro_f1": "macro-F1, age"}
SIDES = {  # marker, colour, how far from the middle of the row, words
    "tied": ("o", "#b35806", -0.13, "validation: backgrounds tied to age, as in training"),
    "free": ("D", "#2166ac", 0.13, "other people whose backgrounds say nothing"),
}
Scores = dict[str, dict[str, dict[str, float]]]


def read_scores(path: Path) -> Scores:
    """`{name: {score: {value, low, high}}}` of a comparison."""
    found: Scores = json.loads(path.read_text(encoding="utf-8"))["scores"]
    return found


def draw(found: dict[str, Scores], rows: dict[str, str], path: Path) -> None:
    """Writes the picture, a PNG.

    Args:
        found: `read_scores` by side of SIDES.
        rows: words by name, in order from the top; of one line or two.
        path: of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(8.4, 1.2 + 0.5 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for axis, (score, title) in zip(axes, PANELS.items(), strict=True):
        for place, name in enumerate(rows):
            for side, (marker, colour, shift, _) in SIDES.items():
                s, y = found[side][name][score], place + shift
                axis.plot([s["low"], s["high"]], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
                axis.plot(s["value"], y, marker, color=colour, markersize=5)
                said = f"{s['value']:.2f}".lstrip("0")
                spot = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 7.5}
                axis.annotate(said, (s["high"], y), color=colour, **spot)
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(axis="x", linewidth=0.3)
        axis.margins(x=0.12)
    axes[0].set_yticks(range(len(rows)), list(rows.values()), fontsize=9)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    style: dict[str, Any] = {"linestyle": "none", "markersize": 6}
    marks = [Line2D([], [], marker=m, color=c, label=words, **style) for m, c, _, words in SIDES.values()]
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
    parser.add_argument("rows", nargs="+", metavar="NAME=words")
    given = parser.parse_args()
    found = {"tied": read_scores(given.tied), "free": read_scores(given.free)}
    rows = dict(row.split("=", 1) for row in given.rows)
    if missing := [name for name in rows for side in found.values() if name not in side]:
        parser.error(f"{missing[0]} is not in both comparisons")
    draw(found, rows, given.picture)


if __name__ == "__main__":
    main()
