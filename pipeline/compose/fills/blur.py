"""The photo's own background, strongly blurred without the person's colours: no halo."""

from __future__ import annotations

import numpy as np

from pipeline.compose.crop import NEUTRAL
from pipeline.compose.inpaint import REDUCE, normalized_convolution

NEEDS_MATTE = True
BLUR_SHARE = 0.12  # of the picture's side: the blur's fine box; the coarse one is three times as large


def background(crop: np.ndarray, old_background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colours of the old background, spread under the person; neutral if none is visible."""
    if not old_background.any():
        out = np.empty_like(crop)
        out[:] = NEUTRAL
        return out
    fine = round(crop.shape[0] * BLUR_SHARE / REDUCE) | 1
    return normalized_convolution(crop, old_background, (fine, 3 * fine | 1))
