"""Boxes in training pictures, `xyxy` in shares of the picture's side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


def in_boxes(boxes: torch.Tensor, size: int) -> torch.Tensor:
    """bool [B, size, size]: which pixels' centres lie in boxes float32 [B, 4]; none for NaN."""
    line = (torch.arange(size, device=boxes.device) + 0.5) / size
    across = (line >= boxes[:, 0:1]) & (line < boxes[:, 2:3])
    down = (line >= boxes[:, 1:2]) & (line < boxes[:, 3:4])
    return down[:, :, None] & across[:, None, :]


def eyes_box(landmarks: Sequence[float], crop: Sequence[float]) -> tuple[float, float, float, float]:
    """The box around both eyes; NaN without landmarks.

    Args:
        landmarks: 10 floats in photo pixels, (x, y) of left eye, right eye, …; or none.
        crop: `xyxy` of the square crop in photo pixels.

    Returns:
        As wide as 2 eye distances and 0.9 high, centred between the eyes; may reach outside the crop.
    """
    x1, y1, x2, _ = (float(v) for v in crop)
    side = x2 - x1
    if len(landmarks) < 4 or side <= 0:
        return (math.nan, math.nan, math.nan, math.nan)
    lx, ly, rx, ry = (float(v) for v in landmarks[:4])
    apart = max(math.hypot(rx - lx, ry - ly), 1.0)
    cx, cy = (lx + rx) / 2 - x1, (ly + ry) / 2 - y1
    across, down = apart, 0.45 * apart
    return ((cx - across) / side, (cy - down) / side, (cx + across) / side, (cy + down) / side)
