"""Photos of cartoon faces, for tests that need no real ones."""

from __future__ import annotations

import cv2
import numpy as np


def drawn(width: int, height: int, *faces: tuple[int, int, int]) -> np.ndarray:
    """A photo of cartoon faces (x, y, radius) that the networks take for real ones."""
    image = np.full((height, width, 3), (96, 110, 130), np.uint8)

    def oval(
        x: float, y: float, wide: float, high: float, colour: tuple[int, int, int], turn: int = 0
    ) -> None:
        """The part of an ellipse from `turn` degrees to a full circle."""
        axes = (int(wide), int(high))
        cv2.ellipse(image, (int(x), int(y)), axes, 0, turn, 360, colour, -1)

    for x, y, r in faces:
        oval(x, y, 0.75 * r, r, (224, 180, 150))
        oval(x, y - 0.75 * r, 0.75 * r, 0.4 * r, (50, 35, 25), 180)
        for eye in (x - 0.3 * r, x + 0.3 * r):
            oval(eye, y - 0.15 * r, 0.15 * r, 0.08 * r, (250, 250, 250))
            oval(eye, y - 0.15 * r, 0.07 * r, 0.07 * r, (40, 25, 20))
            oval(eye, y - 0.32 * r, 0.18 * r, 0.05 * r, (60, 40, 30), 180)
        oval(x, y + 0.2 * r, 0.1 * r, 0.1 * r, (190, 140, 115))
        oval(x, y + 0.45 * r, 0.28 * r, 0.08 * r, (170, 70, 70))
    return cv2.GaussianBlur(image, (0, 0), 1.0)
