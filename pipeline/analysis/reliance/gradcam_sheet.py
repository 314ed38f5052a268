"""Grad-CAM maps laid over their pictures, and the rows of the sheet that shows them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pipeline.analysis.contact_sheet import CELL, Row
from pipeline.analysis.reliance.swap_views import Result
from pipeline.labels import CLASS_NAMES, TASKS

STRENGTH = 0.5  # of the colours over the picture
OUTLINE = (255, 255, 255)


def overlaid(picture: np.ndarray, cam: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """The picture under its map, blue (nothing) to red (peak), with the person's outline in white.

    Args:
        picture: uint8 [H, W, 3] RGB.
        cam: float [S, S], ≥ 0; scaled to its own maximum.
        alpha: uint8 [S, S] matte, or None.

    Returns:
        uint8 [CELL, CELL, 3] RGB.
    """
    size = (CELL, CELL)  # drawn as large as it is shown: the outline stays thin
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    peak = float(cam.max())
    level = cv2.resize(np.asarray(cam, np.float32) / max(peak, 1e-12), size, interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.rint(level.clip(0, 1) * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    out = cv2.addWeighted(picture, 1 - STRENGTH, colours[:, :, ::-1], STRENGTH, 0)
    if alpha is not None:
        matte = cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
        edges, _ = cv2.findContours(cv2.inRange(matte, 128, 255), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        out = cv2.drawContours(np.ascontiguousarray(out), edges, -1, OUTLINE, max(1, size[0] // 160))
    return out


def sheet_row(view: Result, facts: Any, predicted: int, maps: dict[str, np.ndarray] | None) -> Row:
    """A photo with its Grad-CAM map for each task.

    Args:
        view: the photo as the model sees it first.
        facts: its true_class (0-17), age in years.
        predicted: the class that the model answers.
        maps: float [S, S] of each task; None = the model has none.
    """
    truth = int(facts["true_class"])
    verdict = "right" if predicted == truth else f"wrong: predicted {CLASS_NAMES[predicted]}"
    cells: list[np.ndarray | str] = [
        "no maps here" if maps is None else overlaid(view.pictures[0], maps[task], view.alpha)
        for task in TASKS
    ]
    large = cv2.resize(view.pictures[0], (CELL, CELL), interpolation=cv2.INTER_CUBIC)
    return Row(f"{verdict} · {CLASS_NAMES[truth]} · {facts['age']} years · {view.image}", [large, *cells])
