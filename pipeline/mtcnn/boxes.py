"""Box arithmetic of MTCNN, step by step as in facenet_pytorch/models/utils/detect_face.py, in float32.

Boxes are float32 [N, 4], `xyxy`, in pixels of the photo.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STRIDE, CELL = 2, 12  # PNet looks at 12 x 12 pixels of a level, every 2 pixels
TOGETHER = 600  # boxes of all levels up to which one suppression is faster than one for each level


def face_probability(logits: np.ndarray) -> np.ndarray:
    """Softmax over logits [2, …] (not-face, face): the face's share, [...]."""
    powers = np.exp(logits - logits.max(0))
    return powers[1] / (powers[0] + powers[1])


def passing_cells(answer: np.ndarray, threshold: float) -> np.ndarray:
    """Cells of a PNet answer that may hold a face.

    Args:
        answer: [6, h, w] as `Nets.pnet` gives it.
        threshold: least probability; what comes within rounding of it is among them.

    Returns:
        float32 [8, N]: column and row of each cell, and the six values that were answered.
    """
    margin = float(np.log(threshold / (1.0 - threshold))) - 1e-4  # softmax only where it can pass
    cells = np.flatnonzero(answer[1] - answer[0] >= np.float32(margin))
    out = np.empty((8, len(cells)), np.float32)
    out[1], out[0] = np.divmod(cells, answer.shape[2])
    answer.reshape(6, -1).take(cells, 1, out=out[2:])
    return out


def candidates(
    levels: Sequence[np.ndarray], scales: Sequence[float], threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """The cells of all levels as boxes.

    Args:
        levels: [8, N] of each level, as `passing_cells` gives them.
        scales: level pixels per photo pixel, of each level.
        threshold: least probability.

    Returns:
        float32 [N, 9]: x1, y1, x2, y2, probability, and the offsets dx1, dy1, dx2, dy2 as shares of the box;
        and int64 [N], the level of each.
    """
    found = np.concatenate(levels, 1)
    level = np.repeat(np.arange(len(levels)), [cells.shape[1] for cells in levels])
    score = face_probability(found[2:4])
    passed = score >= np.float32(threshold)
    if not passed.all():
        found, level, score = found[:, passed], level[passed], score[passed]
    corner = found[:2] * np.float32(STRIDE)
    scale = np.array(scales, np.float32)[level]
    out = np.empty((len(level), 9), np.float32)
    out[:, 0:2] = np.floor((corner + np.float32(1)) / scale).T
    out[:, 2:4] = np.floor((corner + np.float32(CELL)) / scale).T
    out[:, 4] = score
    out[:, 5:] = found[4:].T
    return out, level


def nms(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, groups: np.ndarray | None = None
) -> np.ndarray:
    """Non-maximum suppression as torchvision's: IoU without + 1, strictly above `threshold` drops.

    Args:
        boxes: [N, 4 or more], `xyxy` first.
        scores: [N].
        threshold: IoU.
        groups: int [N]; boxes of different groups do not drop each other.

    Returns:
        Kept indices by falling score, int64 [K]; among equal scores the earlier comes first.
    """
    order = np.argsort(-scores, kind="stable")
    x1, y1, x2, y2 = boxes[order, :4].T
    area = (x2 - x1) * (y2 - y1)
    width = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1)
    height = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1)
    overlap = np.maximum(width, 0, out=width) * np.maximum(height, 0, out=height)
    with np.errstate(invalid="ignore"):  # 0 / 0 between boxes of no area: not above
        drops = overlap / (area[:, None] + area - overlap) > threshold
    if groups is not None:
        drops &= groups[order][:, None] == groups[order]
    return order[_greedy(drops)]


def nms_of_levels(boxes: np.ndarray, scores: np.ndarray, threshold: float, levels: np.ndarray) -> np.ndarray:
    """`nms` with `levels` as groups; of so many boxes that N x N of them cost more, group by group."""
    if len(boxes) <= TOGETHER:
        return nms(boxes, scores, threshold, levels)
    kept = []
    for level in np.unique(levels):
        (of_level,) = np.nonzero(levels == level)
        kept.append(of_level[nms(boxes[of_level], scores[of_level], threshold)])
    rows = np.sort(np.concatenate(kept))
    return rows[np.argsort(-scores[rows], kind="stable")]


def _greedy(drops: np.ndarray) -> list[int]:
    """Goes through boxes in order; one that is kept drops the later ones that `drops` [N, N] says.

    Sets of boxes are whole numbers (bit i = box i): a step costs a fraction of a numpy call.
    """
    count = len(drops)
    rows = np.packbits(drops, axis=1, bitorder="little").tobytes()
    size = -(-count // 8)
    alive, kept = (1 << count) - 1, []
    for i in range(count):
        if alive >> i & 1:
            kept.append(i)
            alive &= ~int.from_bytes(rows[i * size : (i + 1) * size], "little")
    return kept


def nms_contained(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """As `nms`, but by overlap / smaller area, with the + 1 pixel of the library's last step."""
    order = np.argsort(scores)[::-1]
    x1, y1, x2, y2 = boxes[order, :4].T
    one = np.float32(1)
    area = (x2 - x1 + one) * (y2 - y1 + one)
    width = np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1) + one
    height = np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1) + one
    overlap = np.maximum(width, 0, out=width) * np.maximum(height, 0, out=height)
    return order[_greedy(~(overlap / np.minimum(area[:, None], area) <= np.float32(threshold)))]


def shifted(boxes: np.ndarray, offsets: np.ndarray, extra: int) -> np.ndarray:
    """Boxes moved by `offsets` [N, 4], shares of width and height; `extra` = 1 counts the last pixel in."""
    size = boxes[:, 2:4] - boxes[:, 0:2] + np.float32(extra)
    return boxes[:, :4] + offsets * np.concatenate([size, size], 1)


def inside(boxes: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Which boxes have something in the photo, bool [N], and the crop windows of these, as `crop_windows`."""
    windows = crop_windows(boxes, width, height)
    some = (windows[:, 2] > windows[:, 0]) & (windows[:, 3] > windows[:, 1])
    return some, windows[some]


def squared(boxes: np.ndarray) -> np.ndarray:
    """The square around each box's centre with its longer side."""
    size = boxes[:, 2:4] - boxes[:, 0:2]
    side = size.max(1, keepdims=True)
    half = np.float32(0.5)
    corner = boxes[:, 0:2] + size * half - side * half
    return np.concatenate([corner, corner + side], 1)


def crop_windows(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """The pixels that the library cuts out: int32 [N, 4], x2, y2 excluded, inside the photo; some empty."""
    windows = np.trunc(boxes[:, :4]).astype(np.int32)
    windows[:, 0:2] = np.maximum(windows[:, 0:2], 1) - 1
    windows[:, 2] = np.minimum(windows[:, 2], width)
    windows[:, 3] = np.minimum(windows[:, 3], height)
    return windows
