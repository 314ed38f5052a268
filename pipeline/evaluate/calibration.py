"""Probabilities that mean what they say: temperature scaling, and how far off they are.

Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv:1706.04599): one number T, fitted on
answers about people who were not learnt from, divides the logits. It moves no answer, only how sure it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline import seeds

BINS = 15  # of confidence, as in the paper
COLDEST, HOTTEST = 0.05, 20.0
TOLERANCE = 1e-10  # of the logarithm of T
SMALLEST = 1e-12  # probability, before its logarithm


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """float64 [..., C], rows sum to 1: softmax of log(p) / T; p itself where T is 1.

    Args:
        probabilities: [..., C], rows sum to 1.
        temperature: above 1 = less sure, below 1 = surer; > 0.
    """
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def fitted_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The T of least negative log likelihood, in [0.05, 20]; 1 without photos.

    Args:
        probabilities: float [N, C], out of sample.
        truth: int [N].
    """
    if not len(truth):
        return 1.0

    from scipy.optimize import minimize_scalar  # here: an exported chain only asks `tempered`

    def loss(log_temperature: float) -> float:
        right = tempered(probabilities, np.exp(log_temperature))[np.arange(len(truth)), truth]
        return -float(np.log(np.maximum(right, SMALLEST)).mean())

    # the loss has one minimum: it is convex in 1 / T
    bounds = (np.log(COLDEST), np.log(HOTTEST))
    found: Any = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": TOLERANCE})
    return float(np.exp(found.x))


def calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Expected calibration error, 0 to 1: mean gap between confidence and accuracy over 15 bins.

    Args:
        probabilities: float [N, C].
        truth: int [N].

    Returns:
        NaN without photos.
    """
    if not len(truth):
        return float("nan")
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, right.astype(np.float64) - sure, minlength=BINS)
    return float(np.abs(gaps).sum() / len(truth))


def cross_fitted(probabilities: np.ndarray, truth: np.ndarray, people: np.ndarray) -> np.ndarray:
    """float64 [N, C]: each half of the people tempered by what the other half says, so that nobody judges
    themselves. The args of `fitted_temperature`, and the person of each row.
    """
    first = np.array([seeds.unit(0, "calibration", person) < 0.5 for person in people], dtype=bool)
    out = np.empty(np.shape(probabilities))
    for half in (first, ~first):
        out[half] = tempered(probabilities[half], fitted_temperature(probabilities[~half], truth[~half]))
    return out
