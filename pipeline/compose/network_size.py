"""A picture at the size that the network sees."""

from __future__ import annotations

import cv2
import numpy as np


def at_network_size(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [S, S] or [S, S, 3] from [H, W] or [H, W, 3], scaled as `pipeline.train.decoded` scales."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = size < max(image.shape[:2])
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
