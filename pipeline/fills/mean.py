"""One neutral colour behind the person: ImageNet's mean, which the network's normalisation turns into zeros.

Not the mean of the photo's own background: that still tells where the photo was taken, which is what removing
the background is to hide.
"""

from __future__ import annotations

import numpy as np

from pipeline.crop import NEUTRAL

NEEDS_MATTE = True


def background(crop: np.ndarray, behind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`crop.NEUTRAL` everywhere; see `pipeline.fills` for shapes."""
    out = np.empty_like(crop)
    out[:] = NEUTRAL
    return out
