"""The photo's own background; no matte is read. Padding is neutral (`crop.NEUTRAL`)."""

from __future__ import annotations

import numpy as np

NEEDS_MATTE = False


def background(crop: np.ndarray, old_background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The crop as it is; see `pipeline.compose.fills` for shapes."""
    return crop
