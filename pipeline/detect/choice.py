"""Which of several faces, or people, the photo is about: one rule for every detector that sees them all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.detect.boxes import Detection, area, clip

SIGMA = 0.35
"""Shares of the photo's sides at which a box weighs exp(-1/2) = .61 of one in the centre; in a corner .13."""


class Faces(NamedTuple):
    """N faces by falling score; N may be 0.

    Attributes:
        boxes: float32 [N, 4], `xyxy`, pixels of the photo; may reach outside.
        scores: float32 [N], 0 to 1.
        landmarks: float32 [N, 5, 2], x and y in pixels of left eye, right eye, nose, left and right corner of
            the mouth; left is the viewer's left.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray


def worth(boxes: np.ndarray, scores: np.ndarray, width: int, height: int) -> np.ndarray:
    """How likely each box is the one that the photo was taken for: large x sure x central.

    area / photo's area x score x exp(-(dx² + dy²) / (2 SIGMA²)), where dx and dy are the distances of the
    box's centre from the photo's, in shares of width and height.

    Args:
        boxes: float [N, 4], `xyxy`, pixels of the photo, clipped to it.
        scores: float [N], 0 to 1, all of one detector.
        width, height: of the photo in pixels.

    Returns:
        float64 [N], 0 to 1.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 / np.array([width, height])
    squares = ((centre - 0.5) ** 2).sum(axis=1)
    return area(boxes) / (width * height) * scores * np.exp(-squares / (2 * SIGMA**2))


def choose(boxes: np.ndarray, scores: np.ndarray, width: int, height: int) -> int:
    """The index of the box with the highest `worth` (its args); of equal ones the first."""
    return int(np.argmax(worth(boxes, scores, width, height)))


def best_face(faces: Faces, width: int, height: int) -> Detection | None:
    """The face that a photo of width x height pixels is about; None where there is none inside it."""
    boxes = clip(faces.boxes, width, height)
    if not area(boxes).any():
        return None
    best = choose(boxes, faces.scores, width, height)
    return Detection(boxes[best], float(faces.scores[best]), faces.landmarks[best])
