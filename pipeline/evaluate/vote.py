"""Several models' answers made one. Numbers in, numbers out."""

from __future__ import annotations

import numpy as np

from pipeline.labels import CLASSES


def hard_vote(answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """int64 [N]: per photo the class with the largest sum of weights.

    A tie is won by the tied class that the voter with the largest weight (of equals the first) chose.

    Args:
        answers: int [M, N], classes 0-17.
        weights: float [M] > 0.
    """
    photos = np.arange(answers.shape[1])
    votes = np.zeros((len(photos), CLASSES))
    for row, weight in zip(answers, weights, strict=True):
        votes[photos, row] += weight
    most = votes.max(axis=1, keepdims=True)
    tied = votes >= most - 1e-9 * most
    won = np.full(len(photos), -1, dtype=np.int64)
    for voter in np.argsort(-np.asarray(weights), kind="stable"):
        decides = (won < 0) & tied[photos, answers[voter]]
        won[decides] = answers[voter][decides]
    return won


def soft_vote(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [N, 18], rows sum to 1: the weighted mean of probabilities [M, N, 18]."""
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    mean = np.einsum("m,mnc->nc", shares, np.asarray(probabilities, dtype=np.float64))
    return mean / mean.sum(axis=1, keepdims=True)
