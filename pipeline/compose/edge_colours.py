"""Local mean colours of masked pixels, from an integral image, so that a window's size costs nothing."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

NEAR, FAR = 4, 20  # radius of the two windows, in pixels at half size
NEAR_SIDE = 2 * NEAR + 1
MIN_PIXELS = 3 * 255  # with fewer than three pixels of the mask in the near window, the far one is used
GLOBAL_WEIGHT_SHIFT = 7  # in the far window all pixels of the mask count too, divided by 2 to this


def local_means(
    picture: np.ndarray, masks: tuple[np.ndarray, np.ndarray], indices: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each of two masks the mean colour of its pixels around some indices.

    It uses every second row and column: enough for a mean, in a quarter of the time.

    Args:
        picture: uint8 [H, W, 3] RGB, of at most 16 megapixels.
        masks: uint8 [H, W], 255 = this pixel counts, 0 = it does not.
        indices: int [N], flat indices of pixels.

    Returns:
        float32 [N, 4] each, RGB and 255; black and 0 where a mask is empty.
    """
    height, width = -(-picture.shape[0] // 2), -(-picture.shape[1] // 2)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    small = cv2.cvtColor(small, cv2.COLOR_RGB2RGBA)  # the fourth value counts pixels
    # both masks' pixels, stacked, with a margin so that no window needs clipping
    masked = np.zeros((2, height + 2 * NEAR, width + 2 * NEAR, 4), np.uint8)
    for part, mask in zip(masked[:, NEAR:-NEAR, NEAR:-NEAR], masks, strict=True):
        part[:] = cv2.copyTo(small, cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST))
    sums = cv2.integral(masked.reshape(-1, *masked.shape[2:])).reshape(-1, 4)
    first_corners = _first_corners(*picture.shape[:2]).take(indices)
    corners = sums.take(first_corners + _window(height, width, NEAR_SIDE), 0).reshape(2, 4, -1, 4)
    window_sums = corners[:, 3] - corners[:, 2]
    window_sums -= corners[:, 1]
    window_sums += corners[:, 0]
    too_few = window_sums[..., 3] < MIN_PIXELS
    if too_few.any():
        _use_far_window(window_sums, too_few, masked, indices, picture.shape[1])
    scale = np.repeat(np.float32(255) / window_sums[..., 3], 4).reshape(window_sums.shape)
    own, other = np.multiply(window_sums, scale, dtype=np.float32, casting="unsafe")
    return own, other


@lru_cache(maxsize=4)
def _first_corners(height: int, width: int) -> np.ndarray:
    """int64 [H W]: index, in the integral image, of the upper left corner of each pixel's window."""
    rows, columns = np.divmod(np.arange(height * width), width)
    return (rows // 2) * (-(-width // 2) + 2 * NEAR + 1) + columns // 2


@lru_cache(maxsize=4)
def _window(height: int, width: int, side: int) -> np.ndarray:
    """int64 [8, 1]: offsets of a window's four corners, in either part, from its upper left corner."""
    line = width + 2 * NEAR + 1
    corners = np.array([0, side, side * line, side * line + side])
    return np.concatenate([corners, corners + (height + 2 * NEAR) * line])[:, None]


def _use_far_window(
    window_sums: np.ndarray, too_few: np.ndarray, masked: np.ndarray, indices: np.ndarray, width: int
) -> None:
    """Replaces `window_sums` [2, N, 4] where `too_few` [2, N] by sums of the far window and the mask."""
    for part, pixels, replaced in zip(window_sums, masked, too_few, strict=True):
        sums = cv2.integral(pixels)
        rows, columns = (n // 2 + NEAR for n in np.divmod(indices[replaced], width))
        top, left = np.maximum(rows - FAR, 0), np.maximum(columns - FAR, 0)
        bottom = np.minimum(rows + FAR + 1, sums.shape[0] - 1)
        right = np.minimum(columns + FAR + 1, sums.shape[1] - 1)
        far_sums = sums[bottom, right] - sums[bottom, left] - sums[top, right] + sums[top, left]
        far_sums += sums[-1, -1] >> GLOBAL_WEIGHT_SHIFT
        far_sums[:, 3] = np.maximum(far_sums[:, 3], 1)
        part[replaced] = far_sums
