"""Non-maximum suppression, compiled by numba, step by step as in torchvision and facenet-pytorch."""

from __future__ import annotations

import numpy as np

from pipeline.detect import plain_nms
from pipeline.detect.compiled import compiled


def nms(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, groups: np.ndarray | None = None
) -> np.ndarray:
    """Non-maximum suppression as torchvision's: IoU without + 1, strictly above `threshold` drops.

    Args:
        boxes: float32 [N, 4 or more], `xyxy` first.
        scores: [N].
        threshold: IoU.
        groups: int [N]; boxes of different groups do not drop each other.

    Returns:
        Kept indices by falling score, int64 [K]; among equal scores the earlier comes first.
    """
    order = np.argsort(-scores, kind="stable")
    if groups is None:
        groups = np.zeros(len(order), np.int64)
    return order[_kept(boxes[order, :4], groups[order], np.float32(threshold))]


def nms_contained(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """As `nms`, but by overlap / smaller area, with the + 1 pixel of facenet-pytorch's last step."""
    order = np.argsort(scores)[::-1]
    return order[_kept_contained(boxes[order, :4], np.float32(threshold))]


@compiled("b1[::1](f4[:,:], i8[::1], f4)", plain=plain_nms.kept, error_model="numpy")
def _kept(boxes: np.ndarray, groups: np.ndarray, threshold: np.float32) -> np.ndarray:
    """bool [N]: which of the boxes, by falling score, are not suppressed by a better one of their group."""
    kept = np.ones(len(boxes), np.bool_)
    zero = np.float32(0)
    for i in range(len(boxes)):
        if not kept[i]:
            continue
        x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
        area = (x2 - x1) * (y2 - y1)
        for j in range(i + 1, len(boxes)):
            if not kept[j] or groups[i] != groups[j]:
                continue
            width = max(min(x2, boxes[j, 2]) - max(x1, boxes[j, 0]), zero)
            height = max(min(y2, boxes[j, 3]) - max(y1, boxes[j, 1]), zero)
            overlap = width * height
            other = (boxes[j, 2] - boxes[j, 0]) * (boxes[j, 3] - boxes[j, 1])
            # 0 / 0 between empty boxes is NaN, which compares as False
            if overlap / (area + other - overlap) > threshold:
                kept[j] = False
    return kept


@compiled("b1[::1](f4[:,:], f4)", plain=plain_nms.kept_contained, error_model="numpy")
def _kept_contained(boxes: np.ndarray, threshold: np.float32) -> np.ndarray:
    """As `_kept`, for `nms_contained`."""
    kept = np.ones(len(boxes), np.bool_)
    zero, one = np.float32(0), np.float32(1)
    for i in range(len(boxes)):
        if not kept[i]:
            continue
        x1, y1, x2, y2 = boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3]
        area = (x2 - x1 + one) * (y2 - y1 + one)
        for j in range(i + 1, len(boxes)):
            if not kept[j]:
                continue
            width = max(min(x2, boxes[j, 2]) - max(x1, boxes[j, 0]) + one, zero)
            height = max(min(y2, boxes[j, 3]) - max(y1, boxes[j, 1]) + one, zero)
            other = (boxes[j, 2] - boxes[j, 0] + one) * (boxes[j, 3] - boxes[j, 1] + one)
            if not width * height / min(area, other) <= threshold:
                kept[j] = False
    return kept
