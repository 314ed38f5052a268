"""The photo's own background, strongly blurred, with the person's colours kept out of the blur: no halo."""

from __future__ import annotations

import numpy as np

from pipeline.compose.crop import NEUTRAL
from pipeline.compose.inpaint import REDUCE, normalized_convolution

NEEDS_MATTE = True
SHARE = (
    0.12  # size of the blur's fine box as a share of the picture's side; the coarse one is three times that
)


def background(crop: np.ndarray, behind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours of the old background, spread under the person; neutral where there is none to be seen."""
    if not behind.any():
        out = np.empty_like(crop)
        out[:] = NEUTRAL
        return out
    fine = round(crop.shape[0] * SHARE / REDUCE) | 1
    return normalized_convolution(crop, behind, (fine, 3 * fine | 1))
