"""Noise behind the person, independent pixels with ImageNet's mean and deviation, new for each photo."""

from __future__ import annotations

import cv2
import numpy as np

NEEDS_MATTE = True
MEAN = np.array([124, 116, 104])
DEVIATION = np.array([58, 57, 57])


def background(crop: np.ndarray, behind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uniform noise, mean 124, 116, 104 and deviation 58, 57, 57; see `pipeline.fills` for shapes."""
    raw = np.frombuffer(rng.bytes(crop.size), np.uint8).reshape(crop.shape)
    return cv2.LUT(raw, _TABLE)


# a uniform variable's deviation is its half-width / sqrt(3)
_TABLE = np.clip(
    np.rint(MEAN + (np.arange(256)[:, None] / 127.5 - 1) * DEVIATION * np.sqrt(3)), 0, 255
).astype(np.uint8)[None]
