"""One answer per person from their photos: log-probabilities averaged, then as sharp as the labels allow."""

from __future__ import annotations

import numpy as np

SHARPNESS = np.geomspace(0.1, 10, 41)


def pooled(p: np.ndarray, who: np.ndarray, people: int) -> np.ndarray:
    """float64 [people, K], rows sum to 1: the geometric mean of each person's photos.

    Args:
        p: probabilities of photos, [N, K].
        who: int [N], the photo's person, 0 to people - 1.
    """
    total = np.zeros((people, p.shape[1]))
    np.add.at(total, who, np.log(p))
    return _normal(total / np.maximum(np.bincount(who, minlength=people), 1)[:, None])


def sharpened(p: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """`p` [P, K] to the power under which the said codes [P] are likeliest, rows summing to 1.

    The mean of seven photos that agree is surer than one photo, but not as sure as seven independent ones
    would be; one number, fitted to all people, says how sure (temperature scaling; Guo et al. 2017,
    arXiv:1706.04599). It changes no order within a task, but makes tasks comparable.
    """
    rows = np.arange(len(codes))
    candidates = [_normal(power * np.log(p)) for power in SHARPNESS]
    losses = [-np.log(np.maximum(c[rows, codes], 1e-12)).mean() for c in candidates]
    return candidates[int(np.argmin(losses))]


def _normal(logs: np.ndarray) -> np.ndarray:
    power = np.exp(logs - logs.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)
