"""One photo at any size: pyramid levels, and crops for the later networks."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.detect.mtcnn.area import crop_means, level_means

INT32_PIXELS = (2**31 - 1) // 255


class Pyramid:
    """The integral image of one photo.

    Args:
        image: uint8 [H, W, 3], RGB.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.height, self.width = image.shape[:2]
        # float64 is exact up to 2^53; int32 is twice as fast, and enough below 8.4 megapixels
        small = self.height * self.width <= INT32_PIXELS
        self.sums = cv2.integral(image, sdepth=cv2.CV_32S if small else cv2.CV_64F)  # [H + 1, W + 1, 3]

    def level(self, height: int, width: int) -> np.ndarray:
        """The whole photo at height x width: float32 [3, height, width] in 0 … 255."""
        return level_means(self.sums, height, width)

    def crops(self, windows: np.ndarray, side: int) -> np.ndarray:
        """Parts of the photo, each resampled to side x side.

        Args:
            windows: int32 [N, 4], `xyxy` with x2, y2 excluded, inside the photo, none empty.

        Returns:
            float32 [N, side, side, 3] in 0 … 255.
        """
        return crop_means(self.sums, windows, side)
