"""Measures of a matte, an alpha uint8 [H, W]: 0 = background, 255 = person; above 127 counts as opaque."""

from __future__ import annotations

import cv2
import numpy as np

MAX_BACKGROUND_ALPHA = 127
MIN_COVERAGE = 0.01  # of the photo: a matte below it has most probably lost the person


def opaque(alpha: np.ndarray) -> np.ndarray:
    """bool [H, W]: where `alpha` is more person than background."""
    return alpha > MAX_BACKGROUND_ALPHA


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of the opaque parts of two alphas of one size; 1.0 when both are empty.

    Raises:
        ValueError: the sizes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"two alphas of one size are needed, got {a.shape} and {b.shape}")
    one, two = opaque(a), opaque(b)
    union = np.count_nonzero(one | two)
    return np.count_nonzero(one & two) / union if union else 1.0


def coverage(alpha: np.ndarray) -> float:
    """The mean of `alpha`, in [0, 1]."""
    return cv2.sumElems(alpha)[0] / alpha.size / 255.0


def resize_alpha(alpha: np.ndarray, height: int, width: int) -> np.ndarray:
    """`alpha` resized: by area where it shrinks, bilinear where it grows."""
    if alpha.shape == (height, width):
        return alpha
    shrinks = height <= alpha.shape[0] and width <= alpha.shape[1]
    return cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
