"""Noise behind the person, independent pixels with ImageNet's mean and deviation, new for each photo."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from pipeline.seeds import random_bytes

NEEDS_MATTE = True
MEAN = np.array([124, 116, 104])
DEVIATION = 57.3  # ImageNet has 58, 57, 57
SPREAD = DEVIATION * math.sqrt(3) / 127.5  # a uniform variable's deviation is its half-width / sqrt(3)


def background(crop: np.ndarray, old_background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uniform noise, mean 124, 116, 104 and deviation 57; see `pipeline.compose.fills` for shapes."""
    raw = random_bytes(rng, crop.size).reshape(crop.shape)
    same = cv2.convertScaleAbs(raw, alpha=SPREAD, beta=MEAN[0] - 127.5 * SPREAD)
    return cv2.subtract(same, _offsets(*crop.shape[:2]))


@lru_cache(maxsize=4)
def _offsets(height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3]: how far each channel's mean is below the first one's."""
    return np.tile((MEAN[0] - MEAN).astype(np.uint8), (height, width, 1))
