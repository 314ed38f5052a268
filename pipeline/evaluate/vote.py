"""Combines predictions of several models. Numbers in, numbers out."""

from __future__ import annotations

import numpy as np

from pipeline.labels import CLASSES


def hard_vote(answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """int64 [N]: per photo the class with the largest sum of weights.

    A tie goes to the tied class chosen by the voter with the largest weight (the first of equals).

    Args:
        answers: int [M, N], classes 0-17.
        weights: float [M] > 0.
    """
    photos = np.arange(answers.shape[1])
    votes = np.zeros((len(photos), CLASSES))
    for row, weight in zip(answers, weights, strict=True):
        votes[photos, row] += weight
    top = votes.max(axis=1, keepdims=True)
    tied = votes >= top - 1e-9 * top
    winner = np.full(len(photos), -1, dtype=np.int64)
    for voter in np.argsort(-np.asarray(weights), kind="stable"):
        is_decided = (winner < 0) & tied[photos, answers[voter]]
        winner[is_decided] = answers[voter][is_decided]
    return winner


def soft_vote(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [N, 18], rows sum to 1: the weighted mean of probabilities [M, N, 18]."""
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    mean = np.einsum("m,mnc->nc", shares, np.asarray(probabilities, dtype=np.float64))
    return mean / mean.sum(axis=1, keepdims=True)
