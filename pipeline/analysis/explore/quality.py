"""Brightness and sharpness of a photo."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 512  # longest side at which sharpness is measured, so that it compares between sizes


def brightness(photo: np.ndarray) -> float:
    """Mean luma in [0, 1] (Rec. 601) of uint8 [H, W, 3] RGB."""
    return float(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).mean()) / 255


def sharpness(photo: np.ndarray) -> float:
    """Variance of the Laplacian, gray levels squared, at 512 pixels on the longest side (Pech-Pacheco 2000).

    About 10 and below looks blurred, several hundred looks sharp; noise counts as sharp.
    """
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    factor = SIDE / max(gray.shape)
    if factor < 1:
        size = (max(1, round(gray.shape[1] * factor)), max(1, round(gray.shape[0] * factor)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(gray, cv2.CV_64F).var())
