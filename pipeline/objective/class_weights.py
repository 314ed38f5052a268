"""Weights that make rare classes count more in the loss (`train.class_weights`)."""

from __future__ import annotations

import numpy as np


def class_weights(counts: np.ndarray, kind: str, beta: float = 0.999) -> np.ndarray:
    """float32 [C]: a weight for each class, scaled so that the mean over the training pictures is 1.

    The scale keeps the learning rate's meaning when weights are switched on. Classes without pictures get 0.

    Args:
        counts: training pictures of each class, [C], at least one above 0.
        kind: `none` (all ones), `inverse` (1 / n) or `effective` ((1 − β) / (1 − βⁿ), Cui et al. 2019,
            arXiv:1901.05555).
        beta: β of `effective`; 0 gives no weighting, towards 1 it becomes `inverse`.
    """
    n = np.asarray(counts, dtype=np.float64)
    if kind == "none":
        return np.ones(len(n), dtype=np.float32)
    held = n > 0
    raw = np.zeros(len(n))
    if kind == "inverse":
        raw[held] = 1 / n[held]
    else:
        raw[held] = (1 - beta) / (1 - beta ** n[held])
    return (raw * n.sum() / (raw * n).sum()).astype(np.float32)
