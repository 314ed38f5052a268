"""The figures of `explore`, drawn with matplotlib, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from pipeline import labels

BLUE, ORANGE, GRAY = "#3b6ea5", "#d9822b", "#9a9a9a"
DPI = 110


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG without the date and version that would change its bytes."""
    figure.tight_layout()
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    plt.close(figure)


def draw_labels(counts: dict[str, Any], path: Path) -> None:
    """Photos of each class, and people by gender, age group, and photos by mask."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), gridspec_kw={"width_ratios": [2, 1]})
    classes = counts["class_photos"]
    axes[0, 0].barh(list(classes), list(classes.values()), color=BLUE)
    axes[0, 0].invert_yaxis()
    axes[0, 0].tick_params(axis="y", labelsize=7)
    axes[0, 0].set_title("photos of each class")
    for axis, key, title in (
        (axes[0, 1], "gender_people", "people by gender"),
        (axes[1, 0], "age_group_people", "people by age group"),
        (axes[1, 1], "mask_photos", "photos by mask"),
    ):
        axis.bar(list(counts[key]), list(counts[key].values()), color=BLUE)
        axis.set_title(title)
    save(figure, path)


def draw_ages(counts: dict[str, Any], path: Path) -> None:
    """People of each age, with the official bounds; people next to a bound are easily mislabelled."""
    ages = {int(age): n for age, n in counts["age_people"].items()}
    near = {age for b in (labels.MIDDLE_FROM, labels.OLD_FROM) for age in (b - 1, b)}
    figure, axis = plt.subplots(figsize=(10, 3.5))
    axis.bar(list(ages), list(ages.values()), color=[ORANGE if a in near else BLUE for a in ages], width=0.9)
    for bound in (labels.MIDDLE_FROM, labels.OLD_FROM):
        axis.axvline(bound - 0.5, color="black", linewidth=1, linestyle="--")
    axis.set(xlabel="age, years (orange: next to a bound)", ylabel="people")
    save(figure, path)


def draw_quality(columns: dict[str, np.ndarray], path: Path) -> None:
    """A histogram for each of `columns`, e.g. brightness and sharpness; values [N], NaN left out."""
    figure, axes = plt.subplots(1, len(columns), figsize=(4 * len(columns), 3), squeeze=False)
    for axis, (name, values) in zip(axes[0], columns.items(), strict=True):
        axis.hist(values[np.isfinite(values)], bins=30, color=BLUE)
        axis.set_title(name)
        axis.set_ylabel("photos")
    save(figure, path)


def draw_background(report: dict[str, Any], path: Path) -> None:
    """Balanced accuracy of each task from the background alone, with 95 % intervals, and chance.

    Args:
        report: `probes` by task; where there are none, `note` says why.
        path: always written, since DVC expects it.
    """
    figure, axis = plt.subplots(figsize=(6, 3.5))
    if not report["probes"]:
        axis.axis("off")
        axis.text(0.5, 0.5, report["note"], ha="center", va="center", wrap=True)
    for place, (name, probe) in enumerate(report["probes"].items()):
        score, verdict = (
            probe["balanced_accuracy"],
            "gives it away" if probe["significant"] else "cannot tell",
        )
        spread = np.array([[score["value"] - score["low"]], [score["high"] - score["value"]]])
        label = f"{name}: {verdict}"
        axis.bar(label, score["value"], color=ORANGE if probe["significant"] else BLUE, width=0.6)
        axis.errorbar(label, score["value"], yerr=np.maximum(spread, 0), color="black", capsize=5)
        axis.hlines(probe["chance"], place - 0.4, place + 0.4, color="black", linestyle="--")
        axis.hlines(probe["permuted_q95"], place - 0.4, place + 0.4, color=GRAY)
        axis.text(place + 0.41, probe["chance"], "chance", fontsize=7, va="top", color=GRAY)
        axis.text(place + 0.41, probe["permuted_q95"], "permuted", fontsize=7, va="bottom", color=GRAY)
    if report["probes"]:
        axis.set(ylim=(0, 1), xlim=(-0.5, len(report["probes"]) - 0.25), ylabel="balanced accuracy")
        axis.set_title(
            "predicted from the background alone (permuted: 95 % quantile of permuted labels)", fontsize=9
        )
    save(figure, path)


CELL = 144  # pixels
COLUMNS = 6
GAP = 4
PAPER = (250, 250, 248)


def contact_sheet(photos: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 [H, W, 3] RGB: up to 6 a row, each fitted into 144 pixels.

    Args:
        photos: uint8 [H, W, 3] RGB, at least one.
    """
    columns = min(COLUMNS, len(photos))
    rows = -(-len(photos) // columns)
    step = CELL + GAP
    canvas = Image.new("RGB", (columns * step + GAP, rows * step + GAP), PAPER)
    for number, photo in enumerate(photos):
        small = Image.fromarray(photo)
        small.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
        left, top = GAP + number % columns * step, GAP + number // columns * step
        canvas.paste(small, (left + (CELL - small.width) // 2, top + (CELL - small.height) // 2))
    return np.asarray(canvas)
