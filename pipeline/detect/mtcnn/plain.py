"""MTCNN's arithmetic in numpy, for programs that start without numba.

Each function stands in for the compiled one of its name in `boxes`, `pyramid` and `refinement`, whose
docstrings say what goes in and comes out; the results are the same bits (tests/detect/test_arithmetic.py).
"""

from __future__ import annotations

import numpy as np

MIN_OVERLAP = 0.1  # of a candidate's area with a face: below it neither suppresses the other


def cells_above(output: np.ndarray, margin: np.float32) -> np.ndarray:
    rows, columns = np.nonzero(output[..., 1] - output[..., 0] >= margin)
    out = np.empty((len(rows), 8), np.float32)
    out[:, 0], out[:, 1], out[:, 2:] = columns, rows, output[rows, columns]
    return out


def shifted(boxes: np.ndarray, offsets: np.ndarray, extra: int) -> np.ndarray:
    size = boxes[:, 2:4] - boxes[:, :2] + np.float32(extra)
    return boxes[:, :4] + offsets[:, :4] * np.concatenate([size, size], axis=1)


def squared(boxes: np.ndarray) -> np.ndarray:
    size, half = boxes[:, 2:4] - boxes[:, :2], np.float32(0.5)
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size * half - side * half
    return np.concatenate([corner, corner + side], axis=1)


def crop_windows(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    whole = boxes[:, :4].astype(np.int32)
    first = np.maximum(whole[:, :2], 1) - 1
    return np.concatenate([first, np.minimum(whole[:, 2:], [width, height])], axis=1).astype(np.int32)


def bins(start: np.ndarray, end: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 pixel of each of `count` bins over [start, end): int64 [..., count] each."""
    start, length = np.asarray(start, np.int64)[..., None], np.asarray(end - start, np.int64)[..., None]
    number = np.arange(count)
    return start + number * length // count, start - (-(number + 1) * length // count)


def level_means(sums: np.ndarray, height: int, width: int) -> np.ndarray:
    top, bottom = bins(np.zeros((), int), np.array(sums.shape[0] - 1), height)
    left, right = bins(np.zeros((), int), np.array(sums.shape[1] - 1), width)
    band = sums[bottom] - sums[top]
    scale = _scale((bottom - top)[:, None] * (right - left))
    return np.ascontiguousarray(
        ((band[:, right] - band[:, left]) * scale).astype(np.float32).transpose(2, 0, 1)
    )


def crop_means(sums: np.ndarray, windows: np.ndarray, side: int) -> np.ndarray:
    left, right = (edge[:, None, :] for edge in bins(windows[:, 0], windows[:, 2], side))
    top, bottom = (edge[:, :, None] for edge in bins(windows[:, 1], windows[:, 3], side))
    whole = sums[bottom, right] - sums[top, right] - (sums[bottom, left] - sums[top, left])
    return (whole * _scale((bottom - top) * (right - left))).astype(np.float32)


def rivals_of(boxes: np.ndarray, box: np.ndarray, min_area: float) -> np.ndarray:
    width = np.minimum(boxes[:, 2], box[2]) - np.maximum(boxes[:, 0], box[0])
    height = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
    area = (boxes[:, 2] - boxes[:, 0]) ** 2
    return (area >= min_area) | (
        (width > 0) & (height > 0) & (width * height > MIN_OVERLAP * area.astype(np.float64))
    )


def _scale(area: np.ndarray) -> np.ndarray:
    """One over the pixels of each cell, rounded to float32 as the compiled functions do; float64 [..., 1]."""
    return (np.float32(1) / area.astype(np.float32)).astype(np.float64)[..., None]
