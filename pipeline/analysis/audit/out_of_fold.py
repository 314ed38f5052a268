"""Probabilities for people that the model has not learnt: a logistic regression per task and fold."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

COMPONENTS = 256
LEAST = 1e-6  # of a probability, so that logarithms stay finite


def reduced(features: np.ndarray, seed: int) -> np.ndarray:
    """float64 [N, at most 256]: the principal components of the standardised features [N, D].

    Labels have no part in it, so that doing it once for all folds tells no fold anything about answers.
    """
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    count = min(COMPONENTS, *scaled.shape)
    found = PCA(count, svd_solver="randomized", random_state=seed % 2**32).fit_transform(scaled)
    return found / max(float(found.std(axis=0).max()), 1e-9) * np.sqrt(count)


def fitted(features: np.ndarray, codes: np.ndarray, l2: float, balanced: bool = False) -> LogisticRegression:
    """A logistic regression; `l2` is its penalty (1 / C), `balanced` weighs codes alike."""
    weights = "balanced" if balanced else None
    return LogisticRegression(C=1 / l2, max_iter=1000, class_weight=weights).fit(features, codes)


def asked(model: LogisticRegression, features: np.ndarray, size: int) -> np.ndarray:
    """float64 [N, size], rows sum to 1; codes that the model has not met get next to nothing."""
    p = np.full((len(features), size), LEAST)
    p[:, model.classes_.astype(np.int64)] = np.maximum(model.predict_proba(features), LEAST)
    return p / p.sum(axis=1, keepdims=True)


def out_of_fold(
    features: np.ndarray,
    codes: np.ndarray,
    folds: np.ndarray,
    size: int,
    l2: float,
    balanced: bool = False,
) -> np.ndarray:
    """float64 [N, size]: for each photo, the answer of a model that learnt the other folds only.

    Args:
        features: float [N, D].
        codes: int [N], the labels as they are said to be, 0 to size - 1.
        folds: int [N], the same for all photos of a person.
        size: number of codes.
        l2, balanced: see `fitted`.
    """
    p = np.full((len(codes), size), 1 / size)
    for fold in np.unique(folds):
        held = folds == fold
        known = np.unique(codes[~held])
        if len(known) > 1:
            model = fitted(features[~held], codes[~held], l2, balanced)
            p[held] = asked(model, features[held], size)
        elif len(known) == 1:
            p[held] = np.where(np.arange(size) == known[0], 1 - LEAST, LEAST / max(size - 1, 1))
    return p


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
