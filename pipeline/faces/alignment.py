"""The face, cut out of a photo: by its landmarks turned upright, or as a square around its box."""

from __future__ import annotations

import cv2
import numpy as np

LANDMARKS = 5  # left eye, right eye, nose, left and right corner of the mouth


def square_matrix(box: np.ndarray, size: int, scale: float = 1.0) -> np.ndarray:
    """float64 [2, 3]: the affine map from a photo's pixels to those of a square around a box.

    Args:
        box: `xyxy`, pixels; a box without area counts as one pixel wide.
        size: side of the square cut, pixels.
        scale: side of the square as a multiple of the box's longer side.
    """
    low, high = np.asarray(box, dtype=np.float64).reshape(2, 2)
    factor = size / (scale * max(float((high - low).max()), 1.0))
    shift = size / 2 - factor * (low + high) / 2
    return np.array([[factor, 0, shift[0]], [0, factor, shift[1]]])


def similarity(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """float64 [2, 3]: the turn, scale and shift that take `points` [K, 2] nearest to `targets`, in least
    squares."""
    source, target = points - points.mean(axis=0), targets - targets.mean(axis=0)
    power = max(float((source**2).sum()), 1e-9)
    a = float((source * target).sum()) / power
    b = float((source[:, 0] * target[:, 1] - source[:, 1] * target[:, 0]).sum()) / power
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack([turn, targets.mean(axis=0) - turn @ points.mean(axis=0)])


def cut_face(picture: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """uint8 [size, size, 3] RGB from uint8 [H, W, 3]; what lies outside the picture repeats its edge.

    Where `matrix` ([2, 3], as `square_matrix`) makes the picture less than half as large, it is first shrunk
    by area, so that nothing is skipped.
    """
    factor = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if factor < 0.5:
        height, width = picture.shape[:2]
        small = (max(1, round(width * factor)), max(1, round(height * factor)))
        ratio = np.array([small[0] / width, small[1] / height])
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        turn = matrix[:, :2] / ratio
        matrix = np.column_stack([turn, matrix[:, 2] + turn @ ((1 - ratio) / 2)])
    return cv2.warpAffine(
        picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
