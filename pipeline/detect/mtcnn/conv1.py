"""PNet's first convolution, PReLU and pooling, compiled by numba.

OpenVINO vectorises over channels, and three inputs and ten outputs fill no vector: these layers take a third
of PNet's time for a seventh of its multiplications. Here rows of pixels fill the vectors.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pipeline.detect.compiled import compiled


@njit(error_model="numpy", fastmath={"contract"}, inline="always")
def _two_rows(
    level: np.ndarray,
    kernel: np.ndarray,
    bias: np.float32,
    slope: np.float32,
    y: int,
    larger: np.ndarray,
    lower: np.ndarray,
) -> None:
    """Rows y and y + 1 of one output channel: their maximum, and the second.

    Both at once, since they share two of three input rows.
    """
    for x in range(level.shape[2] - 2):
        first = second = bias
        for ci in range(3):
            for ky in range(3):
                for kx in range(3):
                    first += kernel[ci, ky, kx] * level[ci, y + ky, x + kx]
                    second += kernel[ci, ky, kx] * level[ci, y + 1 + ky, x + kx]
        first = first if first > 0 else first * slope
        second = second if second > 0 else second * slope
        larger[x], lower[x] = first if first > second else second, second


@compiled(
    "f4[:,:,::1](f4[:,:,::1], f4[:,:,:,::1], f4[::1], f4[::1])", error_model="numpy", fastmath={"contract"}
)
def conv1_block(level: np.ndarray, weights: np.ndarray, bias: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Convolution 3 x 3, PReLU, and 2 x 2 max pooling (at an odd border of the pixels that exist).

    Args:
        level: float32 [3, h, w], h and w at least 4.
        weights: float32 [C, 3, 3, 3].
        bias, slopes: float32 [C].

    Returns:
        float32 [ceil((h - 2) / 2), ceil((w - 2) / 2), C].
    """
    height, width, channels = level.shape[1] - 2, level.shape[2] - 2, len(weights)
    out = np.empty(((height + 1) // 2, (width + 1) // 2, channels), np.float32)
    larger, lower = np.empty(width + 1, np.float32), np.empty(width + 1, np.float32)
    for i in range(out.shape[0]):
        is_single = 2 * i + 1 == height  # the last of an odd number of rows
        for c in range(channels):
            _two_rows(level, weights[c], bias[c], slopes[c], 2 * i - is_single, larger, lower)
            row = lower if is_single else larger
            row[width] = row[width - 1]
            for j in range(out.shape[1]):
                a, b = row[2 * j], row[2 * j + 1]
                out[i, j, c] = a if a > b else b
    return out
