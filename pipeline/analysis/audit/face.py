"""The face, cut tightly out of a composed picture: turned upright by its landmarks if there are any."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

# where eyes, nose and mouth corners are placed, as shares of the side: the face fills the picture
LANDMARK_POSITIONS = np.array([[0.34, 0.40], [0.66, 0.40], [0.50, 0.60], [0.36, 0.78], [0.64, 0.78]])


def face_matrix(
    box: Sequence[float], landmarks: Sequence[float], square: Sequence[float], scale: float, size: int
) -> np.ndarray:
    """float64 [2, 3]: the affine map from a composed picture's pixels to those of the cut-out face.

    Args:
        box: `xyxy`, pixels of the upright photo.
        landmarks: x, y in turn of eyes, nose, mouth corners, pixels of the photo; empty: the box alone.
        square: `xyxy` of the composed picture, pixels of the photo.
        scale: pixels of the composed picture per pixel of the photo.
        size: side of the cut, pixels.
    """
    corner = np.array(square[:2], dtype=np.float64)
    if len(landmarks) == 2 * len(LANDMARK_POSITIONS):
        points = (np.array(landmarks, dtype=np.float64).reshape(-1, 2) - corner) * scale
        return _similarity(points, LANDMARK_POSITIONS * size)
    low = (np.array(box[:2], dtype=np.float64) - corner) * scale
    high = (np.array(box[2:], dtype=np.float64) - corner) * scale
    factor = size / max(float((high - low).max()), 1.0)
    shift = size / 2 - factor * (low + high) / 2
    return np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])


def _similarity(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The turn, scale and shift that take `points` [K, 2] nearest to `targets` in least squares."""
    source, target = points - points.mean(axis=0), targets - targets.mean(axis=0)
    power = max(float((source**2).sum()), 1e-9)
    a = float((source * target).sum()) / power
    b = float((source[:, 0] * target[:, 1] - source[:, 1] * target[:, 0]).sum()) / power
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack([turn, targets.mean(axis=0) - turn @ points.mean(axis=0)])


def cut_face(picture: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """uint8 [size, size, 3] RGB from uint8 [H, W, 3]; what lies outside the picture repeats its edge."""
    return cv2.warpAffine(
        picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
