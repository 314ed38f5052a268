"""One neutral colour behind the person: ImageNet's mean, which the network's normalisation turns into zeros.

The mean of the photo's own background would leak where the photo was taken.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.compose.crop import NEUTRAL

NEEDS_MATTE = True


def background(crop: np.ndarray, old_background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`crop.NEUTRAL` everywhere; see `pipeline.compose.fills` for shapes."""
    return _plain(*crop.shape[:2])


@lru_cache(maxsize=4)
def _plain(height: int, width: int) -> np.ndarray:
    """Read-only, since all pictures share it."""
    out = np.empty((height, width, 3), np.uint8)
    out[:] = NEUTRAL
    out.flags.writeable = False
    return out
