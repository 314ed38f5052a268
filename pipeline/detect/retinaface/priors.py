"""The prior boxes of RetinaFace, and what the network's offsets make of them.

Source: biubug6/Pytorch_Retinaface, layers/functions/prior_box.py and utils/box_utils.py, in pixels of the
network's input instead of shares of its sides.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

STRIDES = (8, 16, 32)
PRIOR_SIDES = ((16, 32), (64, 128), (256, 512))  # pixels, by stride
CENTRE_VARIANCE, SIZE_VARIANCE = np.float32(0.1), np.float32(0.2)


@lru_cache(maxsize=8)
def prior_boxes(height: int, width: int) -> np.ndarray:
    """The priors of an input of height x width pixels, multiples of 32.

    Returns:
        float32 [N, 3]: x and y of the centre, and the side, in pixels. By stride, then row, column, side: the
        order of the network's outputs. Read-only.
    """
    levels: list[np.ndarray] = []
    for stride, sides in zip(STRIDES, PRIOR_SIDES, strict=True):
        rows, columns = height // stride, width // stride
        y, x, side = np.meshgrid(
            (np.arange(rows) + 0.5) * stride, (np.arange(columns) + 0.5) * stride, sides, indexing="ij"
        )
        levels.append(np.stack([x, y, side], axis=-1).reshape(-1, 3))
    priors = np.concatenate(levels).astype(np.float32)
    priors.flags.writeable = False
    return priors


def decode_boxes(offsets: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Boxes of offsets dx, dy, dw, dh, float32 [N, 4], from their priors [N, 3].

    The centre is the prior's, moved by .1 dx sides; the width is the side times exp(.2 dw); y, height alike.

    Returns:
        float32 [N, 4], `xyxy`, pixels of the network's input; may reach outside.
    """
    side = priors[:, 2:]
    centre = priors[:, :2] + offsets[:, :2] * CENTRE_VARIANCE * side
    half = side * np.exp(offsets[:, 2:] * SIZE_VARIANCE) / np.float32(2)
    return np.concatenate([centre - half, centre + half], axis=1)


def decode_landmarks(offsets: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Landmarks of offsets float32 [N, 10] (x, y of five points), from their priors [N, 3].

    Returns:
        float32 [N, 5, 2]: x and y in pixels of the network's input: left eye, right eye, nose, left and right
        corner of the mouth; left is the viewer's left.
    """
    moved = offsets.reshape(-1, 5, 2) * CENTRE_VARIANCE * priors[:, None, 2:]
    return priors[:, None, :2] + moved
