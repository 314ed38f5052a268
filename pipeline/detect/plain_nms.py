"""Non-maximum suppression in numpy, for programs that start without numba; see `pipeline.detect.nms`."""

from __future__ import annotations

import numpy as np


def kept(boxes: np.ndarray, groups: np.ndarray, threshold: np.float32) -> np.ndarray:
    """bool [N]: which of the boxes, by falling score, are not suppressed by a better one of their group."""
    x1, y1, x2, y2 = (boxes[:, i] for i in range(4))
    area = (x2 - x1) * (y2 - y1)
    out = np.ones(len(boxes), np.bool_)
    for i in range(len(boxes)):
        if out[i]:
            rest = slice(i + 1, None)
            width = np.maximum(np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest]), np.float32(0))
            height = np.maximum(np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest]), np.float32(0))
            overlap = width * height
            with np.errstate(invalid="ignore", divide="ignore"):  # NaN of empty boxes compares as False
                suppressed = overlap / (area[i] + area[rest] - overlap) > threshold
            out[rest] &= ~(suppressed & (groups[rest] == groups[i]))
    return out


def kept_contained(boxes: np.ndarray, threshold: np.float32) -> np.ndarray:
    """As `kept`, for `nms_contained`."""
    x1, y1, x2, y2 = (boxes[:, i] for i in range(4))
    one, zero = np.float32(1), np.float32(0)
    area = (x2 - x1 + one) * (y2 - y1 + one)
    out = np.ones(len(boxes), np.bool_)
    for i in range(len(boxes)):
        if out[i]:
            rest = slice(i + 1, None)
            width = np.maximum(np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest]) + one, zero)
            height = np.maximum(np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest]) + one, zero)
            with np.errstate(invalid="ignore", divide="ignore"):
                out[rest] &= width * height / np.minimum(area[i], area[rest]) <= threshold
    return out
