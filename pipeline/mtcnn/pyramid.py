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
KEPT_PIXELS = 128 * 1024  # larger levels have their look-up tables (4 bytes a pixel) made each time


class Pyramid:
    """The integral image of one photo.

    Args:
        image: uint8 [H, W, 3], RGB.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.height, self.width = image.shape[:2]
        # float64 is exact up to 2^53; int32 is four times as fast, and enough below 8.4 megapixels
        small = self.height * self.width <= INT32_PIXELS
        if small:  # a fourth channel makes 16 bytes a pixel, which numpy fetches faster than 12
            image = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
        self.sums = cv2.integral(image, sdepth=cv2.CV_32S if small else cv2.CV_64F)  # [H + 1, W + 1, 4 or 3]
        self.places = _places(self.sums)

    def level(self, height: int, width: int) -> np.ndarray:
        """The whole photo at height x width: float32 [3, height, width] in 0 … 255."""
        bins_of = _kept_bins if height * width <= KEPT_PIXELS else _level_bins
        top, bottom, left, right, weights = bins_of(self.height, self.width, height, width)
        bands = self._at(self.places.take(bottom, 0))
        bands -= self._at(self.places.take(top, 0))
        bands = _places(bands)
        bins = self._at(bands.take(right, 1))
        bins -= self._at(bands.take(left, 1))
        out = np.empty((3, height, width), np.float32)
        return np.multiply(bins.transpose(2, 0, 1)[:3], weights, out=out, casting="unsafe")

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
        flat, row = self.places.reshape(-1), self.width + 1
        columns = np.concatenate([x2, x1], 1)[:, None, :]
        # [N, side, right and left ends, channels]
        bands = self._at(flat.take(y2[:, :, None] * row + columns))
        bands -= self._at(flat.take(y1[:, :, None] * row + columns))
        sums = bands[:, :, :side] - bands[:, :, side:]
        out = np.empty((len(boxes), 3, side, side), np.float32)
        return np.multiply(sums.transpose(0, 3, 1, 2)[:, :3], weights[:, None], out=out, casting="unsafe")

    def _at(self, places: np.ndarray) -> np.ndarray:
        """What `_places` made, as numbers again: [..., channels]."""
        return places.view(self.sums.dtype).reshape(*places.shape, -1)


def _places(sums: np.ndarray) -> np.ndarray:
    """[..., channels] with the channels of a pixel as one item, to be fetched together."""
    return sums.view(f"V{sums.shape[-1] * sums.itemsize}")[..., 0]


def _bins(start: np.ndarray, end: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 pixel of each of `count` bins over [start, end): int64 [N, count] each."""
    size = (end - start).astype(np.int64)[:, None]
    steps = np.arange(count + 1, dtype=np.int64)
    first = start[:, None] + size * steps[:-1] // count
    last = start[:, None] - (-size * steps[1:] // count)
    return first, last


def _level_bins(
    height: int, width: int, level_height: int, level_width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows from, rows to; columns from, to; 1 / pixels of each bin."""
    zero = np.zeros(1, np.int64)
    (top,), (bottom,) = _bins(zero, zero + height, level_height)
    (left,), (right,) = _bins(zero, zero + width, level_width)
    weights = 1.0 / ((bottom - top)[:, None] * (right - left)[None]).astype(np.float32)
    return top, bottom, left, right, weights


_kept_bins = lru_cache(maxsize=64)(_level_bins)
