"""What a face detector answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Face:
    """One face.

    `box`: float32 [4], `xyxy`, pixels; may reach outside the photo by a little.
    `score`: probability in 0 … 1.
    `landmarks`: float32 [5, 2], x and y in pixels of left eye, right eye, nose, left and right mouth corner;
    left is the viewer's left.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray


@dataclass(frozen=True)
class Faces:
    """N faces, the largest first; N may be 0.

    `boxes`: float32 [N, 4], `scores`: float32 [N], `landmarks`: float32 [N, 5, 2], as in `Face`.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, i: int) -> Face:
        return Face(self.boxes[i], float(self.scores[i]), self.landmarks[i])

    @staticmethod
    def none() -> Faces:
        """No face."""
        zeros = np.zeros((0, 4), np.float32)
        return Faces(zeros, zeros[:, 0], np.zeros((0, 5, 2), np.float32))
