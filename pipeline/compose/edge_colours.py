"""Mean colours of masked pixels around given ones, from an integral image: a window's size costs nothing."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

NEAR, FAR = 4, 20  # pixels to either side of the windows, in the picture at half size
SIDE = 2 * NEAR + 1
MIN_PIXELS = 3 * 255  # with fewer than three pixels of the mask in the near window, the far one is used
GLOBAL_WEIGHT_SHIFT = 7  # in the far window all pixels of the mask count, each divided by 2 to this


def local_means(
    picture: np.ndarray, masks: tuple[np.ndarray, np.ndarray], places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each of two masks the mean colour of its pixels around some places.

    Every second row and column is looked at: enough for a mean, at a quarter of the time.

    Args:
        picture: uint8 [H, W, 3] RGB, of at most 16 megapixels.
        masks: uint8 [H, W], 255 = this pixel counts, 0 = it does not.
        places: int [N], flat numbers of pixels.

    Returns:
        float32 [N, 4] each, RGB and 255; black and 0 where a mask is empty.
    """
    height, width = -(-picture.shape[0] // 2), -(-picture.shape[1] // 2)
    seen = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    seen = cv2.cvtColor(seen, cv2.COLOR_RGB2RGBA)  # the fourth value counts pixels
    # both masks' pixels, one above the other, with a rim so that no window needs to be cut
    kept = np.zeros((2, height + 2 * NEAR, width + 2 * NEAR, 4), np.uint8)
    for part, mask in zip(kept[:, NEAR:-NEAR, NEAR:-NEAR], masks, strict=True):
        part[:] = cv2.copyTo(seen, cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST))
    sums = cv2.integral(kept.reshape(-1, *kept.shape[2:])).reshape(-1, 4)
    first = _first_corners(*picture.shape[:2]).take(places)
    corners = sums.take(first + _window(height, width, SIDE), 0).reshape(2, 4, -1, 4)
    found = corners[:, 3] - corners[:, 2]
    found -= corners[:, 1]
    found += corners[:, 0]
    few = found[..., 3] < MIN_PIXELS
    if few.any():
        _add_far(found, few, kept, places, picture.shape[1])
    scale = np.repeat(np.float32(255) / found[..., 3], 4).reshape(found.shape)
    own, other = np.multiply(found, scale, dtype=np.float32, casting="unsafe")
    return own, other


@lru_cache(maxsize=4)
def _first_corners(height: int, width: int) -> np.ndarray:
    """int64 [H W]: number, in the integral image, of the upper left corner of each pixel's window."""
    rows, columns = np.divmod(np.arange(height * width), width)
    return (rows // 2) * (-(-width // 2) + 2 * NEAR + 1) + columns // 2


@lru_cache(maxsize=4)
def _window(height: int, width: int, side: int) -> np.ndarray:
    """int64 [8, 1]: a window's four corners in either part, counted from the upper left one of the first."""
    line = width + 2 * NEAR + 1
    corners = np.array([0, side, side * line, side * line + side])
    return np.concatenate([corners, corners + (height + 2 * NEAR) * line])[:, None]


def _add_far(found: np.ndarray, few: np.ndarray, kept: np.ndarray, places: np.ndarray, width: int) -> None:
    """Replaces `found` [2, N, 4] where `few` [2, N] says so by what lies in the far window, and anywhere."""
    for part, sums_of, here in zip(found, kept, few, strict=True):
        sums = cv2.integral(sums_of)
        rows, columns = np.divmod(places[here], width)
        top, left = np.maximum(rows // 2 + NEAR - FAR, 0), np.maximum(columns // 2 + NEAR - FAR, 0)
        bottom = np.minimum(rows // 2 + NEAR + FAR + 1, sums.shape[0] - 1)
        right = np.minimum(columns // 2 + NEAR + FAR + 1, sums.shape[1] - 1)
        near = sums[bottom, right] - sums[bottom, left] - sums[top, right] + sums[top, left]
        near += sums[-1, -1] >> GLOBAL_WEIGHT_SHIFT
        near[:, 3] = np.maximum(near[:, 3], 1)
        part[here] = near
