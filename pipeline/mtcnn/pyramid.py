"""Area-resampled pictures out of one integral image: pyramid levels, and crops for the later networks.

torch's `interpolate(mode="area")` averages, for output pixel i of m out of n input pixels, the bin from
floor(i·n / m) to ceil((i + 1)·n / m). A sum over any bin is four look-ups in an integral image: every level
and every crop costs the same per output pixel, however large the photo.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

INT32_PIXELS = (2**31 - 1) // 255
REMAP_SIDE = 2**15 - 1  # cv2.remap counts pixels in int16
NO_MAP = np.empty(0, np.uint16)  # cv2.remap wants a second map only to interpolate
KEPT_PIXELS = 128 * 1024  # larger levels have their look-up maps (12 bytes a pixel) made each time


class Pyramid:
    """The integral image of one photo.

    Args:
        image: uint8 [H, W, 3], RGB.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.height, self.width = image.shape[:2]
        # float64 is exact up to 2^53; int32 is four times as fast, and enough below 8.4 megapixels
        depth = cv2.CV_32S if self.height * self.width <= INT32_PIXELS else cv2.CV_64F
        self.sums = cv2.integral(image, sdepth=depth)  # [H + 1, W + 1, 3]

    def level(self, height: int, width: int) -> np.ndarray:
        """The whole photo at height x width: float32 [3, height, width] in 0 … 255."""
        bins_of = _kept_bins if height * width <= KEPT_PIXELS else _level_bins
        top, bottom, columns, weights = bins_of(self.height, self.width, height, width)
        bands = self.sums.take(bottom, 0)
        bands -= self.sums.take(top, 0)
        if bands.dtype == np.int32 and max(bands.shape) <= REMAP_SIDE:
            # a nearest-neighbour remap is a gather, three times as fast as numpy's
            bins = cv2.remap(bands, columns[3], NO_MAP, cv2.INTER_NEAREST)
            bins -= cv2.remap(bands, columns[2], NO_MAP, cv2.INTER_NEAREST)
        else:
            bins = bands.take(columns[1], 1)
            bins -= bands.take(columns[0], 1)
        out = np.empty((3, height, width), np.float32)
        return np.multiply(bins.transpose(2, 0, 1), weights, out=out, casting="unsafe")

    def crops(self, boxes: np.ndarray, side: int) -> np.ndarray:
        """Parts of the photo, each resampled to side x side.

        Args:
            boxes: int [N, 4], `xyxy` with x2, y2 excluded, inside the photo, none empty.

        Returns:
            float32 [N, 3, side, side] in 0 … 255.
        """
        x1, x2 = _bins(boxes[:, 0], boxes[:, 2], side)
        y1, y2 = _bins(boxes[:, 1], boxes[:, 3], side)
        weights = 1.0 / ((y2 - y1)[:, :, None] * (x2 - x1)[:, None, :]).astype(np.float32)
        flat = self.sums.reshape(-1, 3)
        row = self.width + 1
        y1, y2 = y1[:, :, None] * row, y2[:, :, None] * row
        x1, x2 = x1[:, None, :], x2[:, None, :]
        sums = flat.take(y2 + x2, 0)
        sums -= flat.take(y1 + x2, 0)
        sums -= flat.take(y2 + x1, 0)
        sums += flat.take(y1 + x1, 0)
        out = np.empty((len(boxes), 3, side, side), np.float32)
        return np.multiply(sums.transpose(0, 3, 1, 2), weights[:, None], out=out, casting="unsafe")


def _bins(start: np.ndarray, end: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 pixel of each of `count` bins over [start, end): int64 [N, count] each."""
    size = (end - start).astype(np.int64)[:, None]
    steps = np.arange(count + 1, dtype=np.int64)
    first = start[:, None] + size * steps[:-1] // count
    last = start[:, None] - (-size * steps[1:] // count)
    return first, last


def _level_bins(
    height: int, width: int, level_height: int, level_width: int
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
    """Rows from, rows to; columns from, to, and both as maps for cv2.remap; 1 / pixels of each bin."""
    zero = np.zeros(1, np.int64)
    (top,), (bottom,) = _bins(zero, zero + height, level_height)
    (left,), (right,) = _bins(zero, zero + width, level_width)
    weights = 1.0 / ((bottom - top)[:, None] * (right - left)[None]).astype(np.float32)
    return top, bottom, (left, right, _remap(left, level_height), _remap(right, level_height)), weights


_kept_bins = lru_cache(maxsize=64)(_level_bins)


def _remap(columns: np.ndarray, height: int) -> np.ndarray:
    """int16 [height, len(columns), 2]: (column, row) to fetch for each pixel."""
    where = np.empty((height, len(columns), 2), np.int16)
    where[..., 0] = columns
    where[..., 1] = np.arange(height)[:, None]
    return where
