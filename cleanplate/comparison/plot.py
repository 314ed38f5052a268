"""A comparison as a forest plot: paired difference and interval per variant, against a line at zero."""

from __future__ import annotations

from pathlib import Path

from cleanplate.comparison.verdict import Comparison, Pair
from pipeline.io.atomic import atomic_file

COLOURS = {
    "better": "#1b7837",
    "worse": "#b2182b",
    "same": "#2166ac",
    "cannot tell": "#5e5e5e",
}  # distinguishable for the colour-blind
PANELS = {
    "macro_f1": "macro-F1",
    "mask.macro_f1": "mask F1",
    "gender.macro_f1": "gender F1",
    "age.macro_f1": "age F1",
}
ROW_INCHES = 0.36


def draw(comparison: Comparison, path: Path) -> None:
    """Writes a PNG: macro-F1 wide, the tasks beside it. Colour is the verdict (of macro-F1)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pairs = comparison.pairs
    figure = Figure(figsize=(13, 1.7 + ROW_INCHES * len(pairs)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(PANELS), sharex=True, sharey=True, width_ratios=(2, 1, 1, 1))
    for axis, (score, title) in zip(axes, PANELS.items(), strict=True):
        axis.axvline(0, color="black", linewidth=0.8)
        for row, pair in enumerate(pairs):
            d = pair.differences[score]
            colour = COLOURS[pair.verdict if score == "macro_f1" else "cannot tell"]
            axis.plot([d.low, d.high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
            axis.plot(d.value, row, "o", color=colour, markersize=5)
        axis.set_title(title, fontsize=10)
        axis.grid(axis="x", linewidth=0.3)
        axis.tick_params(labelsize=8)
        axis.margins(y=0.5 / max(len(pairs), 2))
    axes[0].set_yticks(range(len(pairs)), [_label(pair, pairs) for pair in pairs])
    axes[0].invert_yaxis()
    against = {pair.reference for pair in pairs}
    title = f"Difference to {against.pop()}" if len(against) == 1 else "Difference to the reference"
    seeds = " and their models' seeds" if any(n > 1 for n in comparison.seeds.values()) else ""
    figure.suptitle(
        f"{title}: 95 % intervals, paired over {_people(pairs)} people{seeds} "
        f"(green better, red worse, gray cannot tell{_same(pairs)})",
        fontsize=10,
    )
    with atomic_file(path) as part:
        figure.savefig(part, format="png", dpi=120, metadata={"Software": None})


def _people(pairs: list[Pair]) -> str:
    least, most = min(p.people for p in pairs), max(p.people for p in pairs)
    return str(most) if least == most else f"{least} to {most}"


def _same(pairs: list[Pair]) -> str:
    margin = pairs[0].same_within
    return f", blue same within {margin:g}" if margin else ""


def _label(pair: Pair, pairs: list[Pair]) -> str:
    single = len({p.reference for p in pairs}) == 1
    return pair.variant if single else f"{pair.variant} − {pair.reference}"
