"""Means over bins of an integral image, compiled by numba: pyramid levels, and crops for the later networks.

torch's `interpolate(mode="area")` averages, for output pixel i of m out of n input pixels, the bin from
floor(i·n / m) to ceil((i + 1)·n / m). A sum over any bin is four look-ups in an integral image: every level
and every crop costs the same per output pixel, however large the photo.
"""

from __future__ import annotations

import numpy as np

from pipeline.detect.mtcnn.compiled import compiled


@compiled("UniTuple(i8[::1], 2)(i8, i8, i8)")
def _bins(start: int, end: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last + 1 pixel of each of `count` bins over [start, end): int64 [count] each."""
    first, last = np.empty(count, np.int64), np.empty(count, np.int64)
    for i in range(count):
        first[i] = start + i * (end - start) // count
        last[i] = start - (-(i + 1) * (end - start) // count)
    return first, last


@compiled("f4[:,:,::1](i4[:,:,::1], i8, i8)", "f4[:,:,::1](f8[:,:,::1], i8, i8)", error_model="numpy")
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
            share = np.float64(np.float32(1) / np.float32((bottom - top) * (right[x] - left[x])))
            for c in range(3):
                out[c, y, x] = (band[b + c] - band[a + c]) * share
    return out


@compiled(
    "f4[:,:,:,::1](i4[:,:,::1], i4[:,::1], i8)",
    "f4[:,:,:,::1](f8[:,:,::1], i4[:,::1], i8)",
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
                share = np.float64(np.float32(1) / np.float32((bottom[y] - top[y]) * (b - a)))
                for c in range(3):
                    out[n, y, x, c] = (below[b, c] - above[b, c] - (below[a, c] - above[a, c])) * share
    return out
