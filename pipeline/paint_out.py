"""A photo's background without the person: the film maker's clean plate."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.composite import spread

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
    kept = cv2.bitwise_not(gone)
    if not gone.any() or not kept.any():
        return image.copy() if not gone.any() else np.full_like(image, 128)
    noise, middle = _grain(image, kept, rng)
    painted = cv2.subtract(cv2.add(spread(image, kept, SIZES), noise), np.full_like(image, middle))
    return cv2.copyTo(image, kept, painted)


def _grain(image: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Gray noise, uint8 [H, W, 3], as strong as the finest detail of the kept pixels, and the value that it
    lies around."""
    rows, counts = image[::4, :, 1], kept[::4]  # some green rows are enough to tell
    fine = cv2.mean(cv2.absdiff(rows[:, 1:], rows[:, :-1]), mask=np.ascontiguousarray(counts[:, 1:]))[0]
    middle = round(min(fine, MOST_GRAIN))
    raw = np.frombuffer(rng.bytes(kept.size), np.uint8).reshape(kept.shape)
    table = np.rint(np.arange(256) / 127.5 * middle).astype(np.uint8)
    return cv2.merge([cv2.LUT(raw, table)] * 3), middle
