"""p-values corrected for multiple tests."""

from __future__ import annotations

import numpy as np


def holm(p_values: np.ndarray) -> np.ndarray:
    """float64 [M] in [0, 1]: p-values after the step-down correction of Holm (1979).

    Rejecting where the result is ≤ α keeps the chance of even one false rejection at α, however the M tests
    depend on each other. (S. Holm, A simple sequentially rejective multiple test procedure, Scand. J.
    Statist. 6, 65–70: the k-th smallest of M is multiplied with M − k + 1, then made non-decreasing.)
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    raised = p[order] * np.arange(len(p), 0, -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return corrected
