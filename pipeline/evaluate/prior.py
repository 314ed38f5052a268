"""Class prior shift: estimates the class prior of the photos to predict, and corrects probabilities for it.

Numbers in, numbers out. It assumes that only the prior differs (a class looks the same in both sets) and that
probabilities are calibrated; on a small or otherwise shifted set it can do harm, so it is never a default.
"""

from __future__ import annotations

import numpy as np

MIN_TOTAL = 1e-12


def estimated_prior(
    probabilities: np.ndarray, training_prior: np.ndarray, max_iterations: int = 1000, tolerance: float = 1e-8
) -> np.ndarray:
    """float64 [K], ≥ 0, sum 1: the class prior of the photos of `probabilities`.

    Expectation maximisation from the training prior on: correct the probabilities for the current estimate,
    take their mean as the next (Saerens, Latinne & Decaestecker, Adjusting the outputs of a classifier to new
    a priori probabilities, Neural Computation 14, 2002, eqs. 9–10).

    Args:
        probabilities: float [N, K], N ≥ 1, rows sum to 1; from a model trained on `training_prior`.
        training_prior: float [K] ≥ 0, or counts; a class with 0 was never trained on and stays at 0.
        max_iterations: of expectation maximisation.
        tolerance: stops when no entry changes by more.
    """
    old_prior = _shares(training_prior)
    prior = old_prior
    for _ in range(max_iterations):
        updated = corrected(probabilities, old_prior, prior).mean(axis=0)
        done = np.abs(updated - prior).max() <= tolerance
        prior = updated
        if done:
            break
    return prior


def corrected(probabilities: np.ndarray, training_prior: np.ndarray, new_prior: np.ndarray) -> np.ndarray:
    """float64 [N, K], rows sum to 1: p(class | photo) under `new_prior`, by Bayes' rule (same paper, eq. 4).

    Args:
        probabilities: float [N, K] under the training prior.
        training_prior, new_prior: float [K] ≥ 0, or counts.
    """
    old_prior, new = _shares(training_prior), _shares(new_prior)
    ratio = np.divide(new, old_prior, out=np.zeros_like(new), where=old_prior > 0)
    weighted = np.asarray(probabilities, dtype=np.float64) * ratio
    total = weighted.sum(axis=1, keepdims=True)
    # where the new prior excludes all likely classes the probabilities stay unchanged
    return np.where(total > MIN_TOTAL, weighted / np.maximum(total, MIN_TOTAL), probabilities)


def _shares(counts: np.ndarray) -> np.ndarray:
    values = np.asarray(counts, dtype=np.float64)
    return values / values.sum()
