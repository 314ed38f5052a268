"""Black behind the person."""

from __future__ import annotations

import numpy as np

NEEDS_MATTE = True


def background(crop: np.ndarray, old_background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """All zeros; see `pipeline.compose.fills` for shapes."""
    return np.zeros_like(crop)
