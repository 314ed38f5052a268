"""Box arithmetic of MTCNN, step by step as in facenet_pytorch/models/utils/detect_face.py, in float32.

Boxes are float32 [N, 4], `xyxy`, in pixels of the photo.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.detect.compiled import compiled
from pipeline.detect.mtcnn import plain

STRIDE, CELL_SIDE = 2, 12  # PNet covers 12 x 12 pixels of a level, every 2 pixels


def face_probability(logits: np.ndarray) -> np.ndarray:
    """Softmax over logits [2, …] (not-face, face): the probability of a face, [...]."""
    powers = np.exp(logits - logits.max(0))
    return powers[1] / (powers[0] + powers[1])


def passing_cells(output: np.ndarray, threshold: float) -> np.ndarray:
    """The cells of a PNet output that may hold a face.

    Args:
        output: float32 [h, w, 6] of `Nets.pnet`.
        threshold: minimum probability, less rounding errors.

    Returns:
        float32 [N, 8]: column and row of each cell, and its six output values.
    """
    margin = float(np.log(threshold / (1.0 - threshold))) - 1e-4  # softmax only where it can pass
    return _cells_above(output, np.float32(margin))


@compiled("f4[:,::1](f4[:,:,::1], f4)", plain=plain.cells_above)
def _cells_above(output: np.ndarray, margin: np.float32) -> np.ndarray:
    height, width, _ = output.shape
    out, count = np.empty((height * width, 8), np.float32), 0
    for y in range(height):
        for x in range(width):
            if output[y, x, 1] - output[y, x, 0] >= margin:
                out[count, 0], out[count, 1] = x, y
                for k in range(6):
                    out[count, 2 + k] = output[y, x, k]
                count += 1
    return out[:count].copy()


def candidates(
    levels: Sequence[np.ndarray], scales: Sequence[float], threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """The cells of all levels, as candidate boxes.

    Args:
        levels: [N, 8] of each level, from `passing_cells`.
        scales: level pixels per photo pixel, of each level.
        threshold: minimum probability.

    Returns:
        float32 [N, 9]: x1, y1, x2, y2, probability, and the offsets dx1, dy1, dx2, dy2 as shares of the box;
        and int64 [N], the level of each.
    """
    cells = np.concatenate(levels)
    level = np.repeat(np.arange(len(levels)), [len(rows) for rows in levels])
    score = face_probability(cells[:, 2:4].T)
    passed = score >= np.float32(threshold)
    if not passed.all():
        cells, level, score = cells[passed], level[passed], score[passed]
    corner = cells[:, :2] * np.float32(STRIDE)
    scale = np.array(scales, np.float32)[level][:, None]
    out = np.empty((len(level), 9), np.float32)
    out[:, 0:2] = np.floor((corner + np.float32(1)) / scale)
    out[:, 2:4] = np.floor((corner + np.float32(CELL_SIDE)) / scale)
    out[:, 4] = score
    out[:, 5:] = cells[:, 4:]
    return out, level


@compiled("f4[:,::1](f4[:,::1], f4[:,:], i8)", plain=plain.shifted)
def shifted(boxes: np.ndarray, offsets: np.ndarray, extra: int) -> np.ndarray:
    """Boxes moved by `offsets` [N, 4], shares of width and height; `extra` = 1 includes the last pixel."""
    out, one = np.empty((len(boxes), 4), np.float32), np.float32(extra)
    for n in range(len(boxes)):
        for axis in range(2):
            size = boxes[n, 2 + axis] - boxes[n, axis] + one
            out[n, axis] = boxes[n, axis] + offsets[n, axis] * size
            out[n, 2 + axis] = boxes[n, 2 + axis] + offsets[n, 2 + axis] * size
    return out


@compiled("f4[:,::1](f4[:,::1])", plain=plain.squared)
def squared(boxes: np.ndarray) -> np.ndarray:
    """The square around each box's centre with its longer side."""
    out, half = np.empty((len(boxes), 4), np.float32), np.float32(0.5)
    for n in range(len(boxes)):
        side = max(boxes[n, 2] - boxes[n, 0], boxes[n, 3] - boxes[n, 1])
        for axis in range(2):
            corner = boxes[n, axis] + (boxes[n, 2 + axis] - boxes[n, axis]) * half - side * half
            out[n, axis], out[n, 2 + axis] = corner, corner + side
    return out


def inside(boxes: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Which boxes overlap the photo, bool [N], and the crop windows of these, from `crop_windows`."""
    windows = crop_windows(boxes, width, height)
    overlaps = (windows[:, 2] > windows[:, 0]) & (windows[:, 3] > windows[:, 1])
    return overlaps, windows[overlaps]


@compiled("i4[:,::1](f4[:,::1], i8, i8)", plain=plain.crop_windows)
def crop_windows(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """The pixels that facenet-pytorch crops: int32 [N, 4], x2, y2 excluded, inside the photo; some empty."""
    out = np.empty((len(boxes), 4), np.int32)
    for n in range(len(boxes)):
        out[n, 0], out[n, 1] = max(np.int32(boxes[n, 0]), 1) - 1, max(np.int32(boxes[n, 1]), 1) - 1
        out[n, 2], out[n, 3] = min(np.int32(boxes[n, 2]), width), min(np.int32(boxes[n, 3]), height)
    return out
