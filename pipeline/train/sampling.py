"""Which examples an epoch shows, and in which order."""

from __future__ import annotations

import math

import numpy as np

from pipeline import labels, seeds

ONE_MASK = "one_mask"  # how the samplers begin that show one of several near-copies


def shown_per_epoch(alike: np.ndarray, sampler: str) -> np.ndarray:
    """float64 [n]: how often an epoch shows each example on average, before classes or ages are balanced.

    Args:
        alike: int64 [n]; near-copies of each other share a number (a person's five masked photos).
        sampler: `train.sampler`. With `one_mask…` an epoch shows one of each number, else every example once.
    """
    if not sampler.startswith(ONE_MASK):
        return np.ones(len(alike))
    _, group, size = np.unique(alike, return_inverse=True, return_counts=True)
    return 1.0 / size[group]


def epoch_length(alike: np.ndarray, weights: np.ndarray, sampler: str) -> int:
    """The number of examples that an epoch shows; near-copies have one weight."""
    one_each = np.unique(alike, return_index=True)[1] if sampler.startswith(ONE_MASK) else slice(None)
    whole, rest = _turns(weights[one_each])
    return int(whole.sum()) + _drawn(rest)


def _turns(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How often each is shown for sure, int64 [n], and its chance of once more, float64 [n]."""
    whole = np.floor(weights).astype(np.int64)
    return whole, weights - whole


def _drawn(rest: np.ndarray) -> int:
    return round(math.fsum(rest))  # numpy's sum depends on the order, which each epoch draws anew


def epoch_order(
    classes: np.ndarray, alike: np.ndarray, weights: np.ndarray, sampler: str, seed: int, epoch: int
) -> np.ndarray:
    """int64 [epoch_length]: positions of the examples of one epoch, in the order in which they are learnt.

    Args:
        classes: int64 [n], 0-17.
        alike: int64 [n], as in `shown_per_epoch`.
        weights: float64 [n], how often each is shown in an epoch on average, beside what `sampler` says.
        sampler: none: each once. one_mask: one of each number of `alike`, another one in each epoch.
            class, age: oversampling, with replacement, so that each class, or age group, that occurs is
            expected equally often. one_mask_class, one_mask_age: the same, of one_mask's examples.
    """
    random = seeds.generator(seed, "order", epoch)
    if sampler == "none":
        return _as_often(random.permutation(len(classes)), weights, random)
    if sampler == ONE_MASK:
        shuffled = random.permutation(len(classes))
        _, first = np.unique(alike[shuffled], return_index=True)
        return _as_often(shuffled[np.sort(first)], weights, random)
    groups = classes if sampler.endswith("class") else labels.age_group_of(classes)
    shown = shown_per_epoch(alike, sampler) * weights
    chance = shown / np.bincount(groups, shown)[groups]
    return random.choice(len(classes), size=epoch_length(alike, weights, sampler), p=chance / chance.sum())


def _as_often(order: np.ndarray, weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`order` with each as often as its weight says; the length is the same in every epoch."""
    whole, rest = _turns(weights[order])
    if (whole == 1).all() and not rest.any():
        return order
    if count := _drawn(rest):
        whole[random.choice(len(order), count, replace=False, p=rest / rest.sum())] += 1
    return random.permutation(np.repeat(order, whole))
