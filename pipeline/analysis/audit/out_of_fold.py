"""Out-of-fold probabilities: a logistic regression per task and fold."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

COMPONENTS = 256
MIN_PROBABILITY = 1e-6  # so that logarithms stay finite


def reduced(features: np.ndarray, seed: int) -> np.ndarray:
    """float64 [N, at most 256]: the principal components of the standardised features [N, D].

    It uses no labels, so doing it once for all folds leaks nothing.
    """
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    count = min(COMPONENTS, *scaled.shape)
    components = PCA(count, svd_solver="randomized", random_state=seed % 2**32).fit_transform(scaled)
    return components / max(float(components.std(axis=0).max()), 1e-9) * np.sqrt(count)


def fitted(features: np.ndarray, codes: np.ndarray, l2: float, balanced: bool = False) -> LogisticRegression:
    """A logistic regression; `l2` is its penalty (1 / C), `balanced` weighs codes alike."""
    weights = "balanced" if balanced else None
    return LogisticRegression(C=1 / l2, max_iter=1000, class_weight=weights).fit(features, codes)


def predict_probabilities(model: LogisticRegression, features: np.ndarray, size: int) -> np.ndarray:
    """float64 [N, size], rows sum to 1; codes missing in training get MIN_PROBABILITY."""
    p = np.full((len(features), size), MIN_PROBABILITY)
    p[:, model.classes_.astype(np.int64)] = np.maximum(model.predict_proba(features), MIN_PROBABILITY)
    return p / p.sum(axis=1, keepdims=True)


def out_of_fold(
    features: np.ndarray,
    codes: np.ndarray,
    folds: np.ndarray,
    size: int,
    l2: float,
    balanced: bool = False,
) -> np.ndarray:
    """float64 [N, size]: for each photo, the prediction of a model trained on the other folds.

    Args:
        features: float [N, D].
        codes: int [N], the given labels, 0 to size - 1.
        folds: int [N], the same for all photos of a person.
        size: number of codes.
        l2, balanced: see `fitted`.
    """
    p = np.full((len(codes), size), 1 / size)
    for fold in np.unique(folds):
        held_out = folds == fold
        train_codes = np.unique(codes[~held_out])
        if len(train_codes) > 1:
            model = fitted(features[~held_out], codes[~held_out], l2, balanced)
            p[held_out] = predict_probabilities(model, features[held_out], size)
        elif len(train_codes) == 1:
            p[held_out] = np.where(
                np.arange(size) == train_codes[0], 1 - MIN_PROBABILITY, MIN_PROBABILITY / max(size - 1, 1)
            )
    return p


EXPONENTS = np.geomspace(0.1, 10, 41)


def pooled(p: np.ndarray, person_ids: np.ndarray, people: int) -> np.ndarray:
    """float64 [people, K], rows sum to 1: the geometric mean of each person's photos.

    Args:
        p: probabilities of photos, [N, K].
        person_ids: int [N], the photo's person, 0 to people - 1.
    """
    total = np.zeros((people, p.shape[1]))
    np.add.at(total, person_ids, np.log(p))
    return _normal(total / np.maximum(np.bincount(person_ids, minlength=people), 1)[:, None])


def sharpened(p: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """`p` [P, K] to the power under which the given codes [P] are likeliest, rows summing to 1.

    Photos of one person are not independent, so their product would be overconfident: temperature scaling
    with one exponent for all people (Guo et al. 2017, arXiv:1706.04599). It keeps the order within a task and
    makes tasks comparable.
    """
    rows = np.arange(len(codes))
    candidates = [_normal(power * np.log(p)) for power in EXPONENTS]
    losses = [-np.log(np.maximum(c[rows, codes], 1e-12)).mean() for c in candidates]
    return candidates[int(np.argmin(losses))]


def _normal(logs: np.ndarray) -> np.ndarray:
    power = np.exp(logs - logs.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)
