"""A photo's background without the person: the film maker's clean plate."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.compose.inpaint import spread
from pipeline.seeds import random_bytes

GROWN = 0.03  # the hole is the matte grown by this share of the picture's side: soft edges, hair, a shadow
SIZES = (3, 9, 27)  # boxes on the reduced grid, fine first
MOST_GRAIN = 12  # of 255


def hole(alpha: np.ndarray) -> np.ndarray:
    """Where the person is, with something to spare.

    Args:
        alpha: uint8 [H, W].

    Returns:
        uint8 [H, W], 255 = person or too near to tell.
    """
    reach = 2 * max(1, round(GROWN * max(alpha.shape))) + 1
    solid = cv2.threshold(alpha, 12, 255, cv2.THRESH_BINARY)[1]
    return cv2.dilate(solid, np.ones((reach, reach), np.uint8))


def painted_out(image: np.ndarray, gone: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paints a hole over: surrounding colours spread into it, with grain as strong as theirs.

    Args:
        image: uint8 [H, W, 3].
        gone: uint8 [H, W], 255 = to be painted over, 0 = kept exactly.
        rng: where the grain comes from.

    Returns:
        uint8 [H, W, 3].
    """
    x, y, width, height = cv2.boundingRect(gone)
    if not width:
        return image.copy()
    kept = cv2.bitwise_not(gone)
    if not cv2.countNonZero(kept):
        return np.full_like(image, 128)
    part = slice(y, y + height), slice(x, x + width)
    noise, middle = _grain(image, kept, (height, width), rng)
    smooth = spread(image, kept, SIZES)[part]
    painted = cv2.subtract(cv2.add(smooth, noise), np.full_like(noise, middle))
    out = image.copy()
    out[part] = cv2.copyTo(painted, gone[part], image[part].copy())
    return out


def _grain(
    image: np.ndarray, kept: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Gray noise, uint8 [*shape, 3], as strong as the finest detail of the kept pixels, and the value that it
    lies around."""
    rows, counts = image[::4, :, 1], kept[::4]  # some green rows are enough to tell
    fine = cv2.mean(cv2.absdiff(rows[:, 1:], rows[:, :-1]), mask=np.ascontiguousarray(counts[:, 1:]))[0]
    middle = round(min(fine, MOST_GRAIN))
    raw = random_bytes(rng, shape[0] * shape[1]).reshape(shape)
    table = np.rint(np.arange(256) / 127.5 * middle).astype(np.uint8)
    return cv2.cvtColor(cv2.LUT(raw, table), cv2.COLOR_GRAY2RGB), middle
