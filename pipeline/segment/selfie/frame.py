"""A photo as the input of the selfie network, and the network's output as an alpha of the photo."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.segment.mattes import resize_alpha


def stretch(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """float32 [height, width, 3] RGB in [0, 1] from uint8 [H, W, 3] RGB, without regard to its aspect."""
    shrinks = height <= photo.shape[0] and width <= photo.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled = cv2.resize(photo, (width, height), interpolation=interpolation)
    return np.divide(scaled, np.float32(255), dtype=np.float32)


def restore(shares: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 [height, width] alpha from the network's shares, float32 [h, w] in [0, 1]."""
    return resize_alpha(np.rint(shares * 255).astype(np.uint8), height, width)
