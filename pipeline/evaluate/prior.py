"""When the photos to predict have another mix of classes than training had: estimate the mix, correct for it.

Numbers in, numbers out. It assumes that only the mix differs (a class looks the same in both sets), and
that the probabilities are calibrated; on a small or a shifted set it can do harm, so it is an option and
never a default.
"""

from __future__ import annotations

import numpy as np

SMALLEST = 1e-12


def estimated_prior(
    probabilities: np.ndarray, training_prior: np.ndarray, rounds: int = 1000, tolerance: float = 1e-8
) -> np.ndarray:
    """float64 [K], ≥ 0, sum 1: the class mix of the photos that `probabilities` are about.

    Expectation maximisation: correct the probabilities for the present estimate, take their mean as the next,
    from the training mix on (Saerens, Latinne & Decaestecker, Adjusting the outputs of a classifier to new a
    priori probabilities, Neural Computation 14, 2002, eqs. 9–10).

    Args:
        probabilities: float [N, K], N ≥ 1, rows sum to 1; from a model trained on the mix `training_prior`.
        training_prior: float [K] ≥ 0, or counts; a class with 0 was never trained on and stays at 0.
        rounds: most iterations.
        tolerance: the end: no entry changes by more.
    """
    trained = _shares(training_prior)
    prior = trained
    for _ in range(rounds):
        following = corrected(probabilities, trained, prior).mean(axis=0)
        done = np.abs(following - prior).max() <= tolerance
        prior = following
        if done:
            break
    return prior


def corrected(probabilities: np.ndarray, training_prior: np.ndarray, new_prior: np.ndarray) -> np.ndarray:
    """float64 [N, K], rows sum to 1: p(class | photo) under `new_prior`, by Bayes' rule (same paper, eq. 4).

    Args:
        probabilities: float [N, K] under the training mix.
        training_prior, new_prior: float [K] ≥ 0, or counts.
    """
    trained, new = _shares(training_prior), _shares(new_prior)
    ratio = np.divide(new, trained, out=np.zeros_like(new), where=trained > 0)
    weighted = np.asarray(probabilities, dtype=np.float64) * ratio
    total = weighted.sum(axis=1, keepdims=True)
    # a photo of which the new mix allows no class at all: its probabilities stay as they came
    return np.where(total > SMALLEST, weighted / np.maximum(total, SMALLEST), probabilities)


def _shares(counts: np.ndarray) -> np.ndarray:
    values = np.asarray(counts, dtype=np.float64)
    return values / values.sum()
