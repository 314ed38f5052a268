"""How well given features predict a task: a linear probe, scored on held-out people.

A permutation test over people decides whether they predict it at all (Ojala & Garriga, Permutation tests for
studying classifier performance, JMLR 2010). An interval is not enough: each person has a few backgrounds, and
among few people some backgrounds correlate with a label by chance, in every resample of the same people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from pipeline.evaluate.bootstrap import interval, resample_counts, resampled
from pipeline.evaluate.multiple_tests import holm
from pipeline.seeds import generator

BATCH = 32  # permutations per batch, to bound memory
LEVEL = 0.95


@dataclass(frozen=True)
class Labels:
    """One task's labels.

    Args:
        codes: int [N], 0 to size - 1.
        size: number of codes.
        of_people: whether a person has one label on all photos; else each photo has its own.
    """

    codes: np.ndarray
    size: int
    of_people: bool


@dataclass(frozen=True)
class Resampling:
    """Numbers of bootstrap resamples of people and of permutations of labels, and their seed."""

    resamples: int
    permutations: int
    seed: int


def run_probe(
    ridge: OutOfFoldRidge, labels: Labels, person_ids: np.ndarray, folds: np.ndarray, resampling: Resampling
) -> dict[str, Any]:
    """`{"balanced_accuracy": {"value", "low", "high"}, "chance", "permuted_q95", "p_value"}`.

    Balanced accuracy is the mean recall of the codes that occur; `chance` is 1 / their number, whatever their
    frequencies. Its interval is a bootstrap over people. `permuted_q95`: its 95 % quantile for
    permuted labels.
    `p_value`: the share of permutations that reach the value, the true labels included.

    Args:
        ridge: on features of N photos.
        labels: of these photos.
        person_ids: int [N], the person, 0 to P - 1.
        folds: int [N], the same for all photos of a person.
        resampling: bootstrap resamples and permutations.
    """
    codes = labels.codes
    predicted = ridge.predict(codes[None], labels.size)[0]
    people = int(person_ids.max()) + 1
    by_person = np.zeros((people, labels.size, labels.size), np.int64)
    np.add.at(by_person, (person_ids, codes, predicted), 1)
    resampled_counts = resampled(by_person, resample_counts(people, resampling.resamples, resampling.seed))
    whole = by_person.sum(axis=0)
    value, (low, high) = float(balanced_accuracy(whole)), interval(balanced_accuracy(resampled_counts))
    null = _null_distribution(ridge, labels, person_ids, folds, resampling)
    return {
        "balanced_accuracy": {"value": value, "low": low, "high": high},
        "chance": 1 / max(1, int((whole.sum(axis=1) > 0).sum())),
        "permuted_q95": float(np.quantile(null, LEVEL)),
        "p_value": float((1 + (null >= value - 1e-9).sum()) / (1 + len(null))),
    }


def with_verdicts(probes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The probes with `p_corrected` (Holm, over all of them) and `significant`: whether it is below 0.05."""
    corrected = holm(np.array([probe["p_value"] for probe in probes.values()]))
    return {
        name: {**probe, "p_corrected": float(p), "significant": bool(p < 1 - LEVEL)}
        for (name, probe), p in zip(probes.items(), corrected, strict=True)
    }


def verdict(task: str, probe: Mapping[str, Any]) -> str:
    """A probe in words; not significant means "cannot tell", not "no"."""
    score = probe["balanced_accuracy"]
    numbers = (
        f"balanced accuracy {score['value']:.2f} (95 % {score['low']:.2f} to {score['high']:.2f}), "
        f"permuted labels up to {probe['permuted_q95']:.2f}, p = {probe['p_corrected']:.3f}"
    )
    if probe["significant"]:
        return f"the background alone tells {task}: {numbers}"
    return f"cannot tell whether the background gives {task} away: {numbers}"


def _null_distribution(
    ridge: OutOfFoldRidge, labels: Labels, person_ids: np.ndarray, folds: np.ndarray, resampling: Resampling
) -> np.ndarray:
    """float64 [permutations]: balanced accuracies under permuted labels."""
    rng = generator(resampling.seed, "shuffled labels")
    result: list[np.ndarray] = []
    for start in range(0, resampling.permutations, BATCH):
        count = min(BATCH, resampling.permutations - start)
        codes = np.stack([permuted(labels, person_ids, folds, rng) for _ in range(count)])
        predicted = ridge.predict(codes, labels.size)
        cells = (np.arange(count)[:, None] * labels.size + codes) * labels.size + predicted
        counts = np.bincount(cells.ravel(), minlength=count * labels.size**2)
        result.append(balanced_accuracy(counts.reshape(count, labels.size, labels.size)))
    return np.concatenate(result)


def permuted(
    labels: Labels, person_ids: np.ndarray, folds: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """int [N]: permuted labels, each as frequent in each fold as before.

    Labels of people are permuted among the people of a fold, labels of photos among the photos of a person.
    """
    if not labels.of_people:
        return _permute_within(labels.codes, person_ids, rng)
    first = np.unique(person_ids, return_index=True)[1]
    return _permute_within(labels.codes[first], folds[first], rng)[person_ids]


def _permute_within(values: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`values` permuted within each group."""
    out = np.empty_like(values)
    out[np.argsort(groups, kind="stable")] = values[np.lexsort((rng.random(len(values)), groups))]
    return out


def balanced_accuracy(confusions: np.ndarray) -> np.ndarray:
    """float64 [...] in [0, 1] from confusions [..., k, k]: mean recall of the codes that occur."""
    counts = confusions.sum(axis=-1)
    right = np.diagonal(confusions, axis1=-2, axis2=-1).astype(np.float64)
    recall = np.divide(right, counts, out=np.zeros_like(right), where=counts > 0)
    return recall.sum(axis=-1) / np.maximum((counts > 0).sum(axis=-1), 1)


@dataclass(frozen=True)
class _Fold:
    held_out: np.ndarray  # bool [N]
    train_features: np.ndarray  # float64 [n, C], centred
    held_out_features: np.ndarray  # float64 [N - n, C], shifted alike
    factor: tuple[np.ndarray, bool]


class OutOfFoldRidge:
    """For each photo, the prediction of a model trained on the other folds.

    Least squares on indicators of the codes, an estimate of each code's probability, divided by the code's
    frequency (Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 2009, section 4.2):
    the largest is the prediction, whatever the codes' frequencies.

    Args:
        features: float [N, C].
        folds: int [N], at least two different ones.
        l2: the penalty on the squares of the weights.
    """

    def __init__(self, features: np.ndarray, folds: np.ndarray, l2: float) -> None:
        self._folds: list[_Fold] = []
        for fold in np.unique(folds):
            held_out = folds == fold
            middle = features[~held_out].mean(axis=0)
            train_features = features[~held_out] - middle
            gram = train_features.T @ train_features + np.eye(features.shape[1]) * l2
            self._folds.append(_Fold(held_out, train_features, features[held_out] - middle, cho_factor(gram)))

    def predict(self, codes: np.ndarray, size: int) -> np.ndarray:
        """int64 [B, N] for labellings `codes`, int [B, N], of 0 to size - 1."""
        result = np.zeros(codes.shape, np.int64)
        for fold in self._folds:
            train_codes = codes[:, ~fold.held_out]
            indicators = (train_codes[:, :, None] == np.arange(size)).astype(np.float64)  # [B, n, size]
            frequency = indicators.mean(axis=1)
            targets = indicators.transpose(1, 0, 2).reshape(train_codes.shape[1], -1)
            weights = np.asarray(cho_solve(fold.factor, fold.train_features.T @ targets))
            p = (fold.held_out_features @ weights).reshape(-1, *frequency.shape) + frequency
            ratio = np.divide(p, frequency, out=np.full(p.shape, -np.inf), where=frequency > 0)
            result[:, fold.held_out] = ratio.argmax(axis=2).T
        return result
