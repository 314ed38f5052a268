"""A linear classifier with a closed form, so that asking it about a thousand shuffled labels costs little."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve


@dataclass(frozen=True)
class _Fold:
    held: np.ndarray  # bool [N]
    learnt: np.ndarray  # float64 [n, C], centred
    asked: np.ndarray  # float64 [N - n, C], shifted alike
    factor: tuple[np.ndarray, bool]


class OutOfFoldRidge:
    """For each photo, the answer of a model that learnt the other folds only.

    Least squares on indicators of the codes, an estimate of each code's probability, divided by how often
    the code occurs (Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 2009, section 4.2):
    the largest is the answer, whatever the codes' frequencies.

    Args:
        features: float [N, C].
        folds: int [N], at least two different ones.
        strength: 1 / L2 penalty.
    """

    def __init__(self, features: np.ndarray, folds: np.ndarray, strength: float) -> None:
        self._folds: list[_Fold] = []
        for fold in np.unique(folds):
            held = folds == fold
            middle = features[~held].mean(axis=0)
            learnt = features[~held] - middle
            gram = learnt.T @ learnt + np.eye(features.shape[1]) / strength
            self._folds.append(_Fold(held, learnt, features[held] - middle, cho_factor(gram)))

    def answers(self, codes: np.ndarray, size: int) -> np.ndarray:
        """int64 [B, N] for labellings `codes`, int [B, N], of 0 to size - 1."""
        found = np.zeros(codes.shape, np.int64)
        for fold in self._folds:
            known = codes[:, ~fold.held]
            marks = (known[:, :, None] == np.arange(size)).astype(np.float64)  # [B, n, size]
            often = marks.mean(axis=1)
            targets = marks.transpose(1, 0, 2).reshape(known.shape[1], -1)
            weights = np.asarray(cho_solve(fold.factor, fold.learnt.T @ targets))
            p = (fold.asked @ weights).reshape(-1, *often.shape) + often
            ratio = np.divide(p, often, out=np.full(p.shape, -np.inf), where=often > 0)
            found[:, fold.held] = ratio.argmax(axis=2).T
        return found
