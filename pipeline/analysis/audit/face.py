"""The face, cut tightly out of a composed picture: turned upright by its landmarks if there are any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.faces.alignment import similarity, square_matrix

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
        return similarity(points, LANDMARK_POSITIONS * size)
    edges = (np.array(box, dtype=np.float64).reshape(2, 2) - corner) * scale
    return square_matrix(edges, size)
