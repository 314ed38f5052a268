"""A contact sheet: photos of one class side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

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
