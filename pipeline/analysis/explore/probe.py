"""How well a task can be told from given features: a linear probe, on people that it has not learnt.

A permutation test over people decides whether it tells anything at all (Ojala & Garriga, Permutation
tests for studying classifier performance, JMLR 2010). An interval alone cannot say: each person has a few
backgrounds, and among few people some of them go with a label by chance, which drawing the same people again
does not undo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from pipeline.evaluate.bootstrap import draws_of_people, interval, resampled
from pipeline.evaluate.multiple_tests import holm
from pipeline.seeds import generator

BATCH = 32  # labellings answered at a time, to bound memory
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
    """How much chance is worked out: resamples of people, shufflings of labels, and their seed."""

    draws: int
    shuffles: int
    seed: int


def probed(
    ridge: OutOfFoldRidge, labels: Labels, who: np.ndarray, folds: np.ndarray, luck: Resampling
) -> dict[str, Any]:
    """`{"balanced_accuracy": {"value", "low", "high"}, "chance", "by_chance", "p_value"}`.

    Balanced accuracy is the mean recall of the codes that occur: 1 / their number for whoever knows nothing,
    however uneven they are; that is `chance`. Its interval is a bootstrap over people. `by_chance`: what 95 %
    of shufflings stay below. `p_value`: the share of shufflings that reach the value, the true labels
    counted in.

    Args:
        ridge: on features of N photos.
        labels: of these photos.
        who: int [N], the person, 0 to P - 1.
        folds: int [N], the same for all photos of a person.
        luck: resamples and shufflings.
    """
    codes = labels.codes
    predicted = ridge.answers(codes[None], labels.size)[0]
    people = int(who.max()) + 1
    by_person = np.zeros((people, labels.size, labels.size), np.int64)
    np.add.at(by_person, (who, codes, predicted), 1)
    in_draws = resampled(by_person, draws_of_people(people, luck.draws, luck.seed))
    whole = by_person.sum(axis=0)
    value, (low, high) = float(balanced_accuracy(whole)), interval(balanced_accuracy(in_draws))
    null = _of_shuffled(ridge, labels, who, folds, luck)
    return {
        "balanced_accuracy": {"value": value, "low": low, "high": high},
        "chance": 1 / max(1, int((whole.sum(axis=1) > 0).sum())),
        "by_chance": float(np.quantile(null, LEVEL)),
        "p_value": float((1 + (null >= value - 1e-9).sum()) / (1 + len(null))),
    }


def with_verdicts(probes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The probes with `p_corrected` (Holm, for how many were asked) and `told`: whether it is below 0.05."""
    corrected = holm(np.array([probe["p_value"] for probe in probes.values()]))
    return {
        name: {**probe, "p_corrected": float(p), "told": bool(p < 1 - LEVEL)}
        for (name, probe), p in zip(probes.items(), corrected, strict=True)
    }


def verdict(task: str, probe: Mapping[str, Any]) -> str:
    """A probe in words; where chance does as well, nobody can tell, which is not the same as no."""
    score = probe["balanced_accuracy"]
    said = (
        f"balanced accuracy {score['value']:.2f} (95 % {score['low']:.2f} to {score['high']:.2f}), "
        f"shuffled labels up to {probe['by_chance']:.2f}, p = {probe['p_corrected']:.3f}"
    )
    if probe["told"]:
        return f"the background alone tells {task}: {said}"
    return f"cannot tell whether the background gives {task} away: {said}"


def _of_shuffled(
    ridge: OutOfFoldRidge, labels: Labels, who: np.ndarray, folds: np.ndarray, luck: Resampling
) -> np.ndarray:
    """float64 [shuffles]: balanced accuracies where labels have nothing to do with features."""
    random = generator(luck.seed, "shuffled labels")
    found: list[np.ndarray] = []
    for start in range(0, luck.shuffles, BATCH):
        count = min(BATCH, luck.shuffles - start)
        codes = np.stack([shuffled(labels, who, folds, random) for _ in range(count)])
        predicted = ridge.answers(codes, labels.size)
        cells = (np.arange(count)[:, None] * labels.size + codes) * labels.size + predicted
        counts = np.bincount(cells.ravel(), minlength=count * labels.size**2)
        found.append(balanced_accuracy(counts.reshape(count, labels.size, labels.size)))
    return np.concatenate(found)


def shuffled(labels: Labels, who: np.ndarray, folds: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """int [N]: permuted labels, each as frequent in each fold as before.

    What belongs to people goes from person to person within a fold, since all photos of one are alike; what
    belongs to photos goes from photo to photo of one person.
    """
    if not labels.of_people:
        return _dealt(labels.codes, who, random)
    first = np.unique(who, return_index=True)[1]
    return _dealt(labels.codes[first], folds[first], random)[who]


def _dealt(values: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`values` shuffled within each group."""
    out = np.empty_like(values)
    out[np.argsort(groups, kind="stable")] = values[np.lexsort((random.random(len(values)), groups))]
    return out


def balanced_accuracy(confusions: np.ndarray) -> np.ndarray:
    """float64 [...] in [0, 1] from confusions [..., k, k]: mean recall of the codes that occur."""
    said = confusions.sum(axis=-1)
    right = np.diagonal(confusions, axis1=-2, axis2=-1).astype(np.float64)
    recall = np.divide(right, said, out=np.zeros_like(right), where=said > 0)
    return recall.sum(axis=-1) / np.maximum((said > 0).sum(axis=-1), 1)


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
        l2: the penalty on the squares of the weights.
    """

    def __init__(self, features: np.ndarray, folds: np.ndarray, l2: float) -> None:
        self._folds: list[_Fold] = []
        for fold in np.unique(folds):
            held = folds == fold
            middle = features[~held].mean(axis=0)
            learnt = features[~held] - middle
            gram = learnt.T @ learnt + np.eye(features.shape[1]) * l2
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
