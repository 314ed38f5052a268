"""Resampled photos: pyramid levels, and crops for the later networks."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.detect.compiled import compiled
from pipeline.detect.mtcnn import plain

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


@compiled("UniTuple(i8[::1], 2)(i8, i8, i8)", plain=plain.bins)
def _bins(start: int, end: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 pixel of each of `count` bins over [start, end): int64 [count] each."""
    first, last = np.empty(count, np.int64), np.empty(count, np.int64)
    for i in range(count):
        first[i] = start + i * (end - start) // count
        last[i] = start - (-(i + 1) * (end - start) // count)
    return first, last


@compiled(
    "f4[:,:,::1](i4[:,:,::1], i8, i8)",
    "f4[:,:,::1](f8[:,:,::1], i8, i8)",
    plain=plain.level_means,
    error_model="numpy",
)
def level_means(sums: np.ndarray, height: int, width: int) -> np.ndarray:
    """The whole photo at height x width.

    Args:
        sums: int32 or float64 [H + 1, W + 1, 3], the integral image of RGB in 0 … 255.

    Returns:
        float32 [3, height, width] in 0 … 255.
    """
    full_height, full_width = sums.shape[0] - 1, sums.shape[1] - 1
    left, right = _bins(0, full_width, width)
    rows = sums.reshape(full_height + 1, (full_width + 1) * 3)
    band, out = np.empty_like(rows[0]), np.empty((3, height, width), np.float32)
    for y in range(height):
        top, bottom = y * full_height // height, -(-(y + 1) * full_height // height)
        for i in range(band.size):
            band[i] = rows[bottom, i] - rows[top, i]
        for x in range(width):
            a, b = left[x] * 3, right[x] * 3
            scale = np.float64(np.float32(1) / np.float32((bottom - top) * (right[x] - left[x])))
            for c in range(3):
                out[c, y, x] = (band[b + c] - band[a + c]) * scale
    return out


@compiled(
    "f4[:,:,:,::1](i4[:,:,::1], i4[:,::1], i8)",
    "f4[:,:,:,::1](f8[:,:,::1], i4[:,::1], i8)",
    plain=plain.crop_means,
    error_model="numpy",
)
def crop_means(sums: np.ndarray, windows: np.ndarray, side: int) -> np.ndarray:
    """Parts of the photo, each resampled to side x side.

    Args:
        sums: as for `level_means`.
        windows: int32 [N, 4], `xyxy` with x2, y2 excluded, inside the photo, none empty.

    Returns:
        float32 [N, side, side, 3] in 0 … 255.
    """
    out = np.empty((len(windows), side, side, 3), np.float32)
    for n in range(len(windows)):
        left, right = _bins(windows[n, 0], windows[n, 2], side)
        top, bottom = _bins(windows[n, 1], windows[n, 3], side)
        for y in range(side):
            above, below = sums[top[y]], sums[bottom[y]]
            for x in range(side):
                a, b = left[x], right[x]
                scale = np.float64(np.float32(1) / np.float32((bottom[y] - top[y]) * (b - a)))
                for c in range(3):
                    out[n, y, x, c] = (below[b, c] - above[b, c] - (below[a, c] - above[a, c])) * scale
    return out
