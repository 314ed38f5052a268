"""Which examples an epoch shows, and in which order."""

from __future__ import annotations

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


def epoch_length(alike: np.ndarray, sampler: str) -> int:
    """The number of examples that an epoch shows."""
    return len(np.unique(alike)) if sampler.startswith(ONE_MASK) else len(alike)


def epoch_order(classes: np.ndarray, alike: np.ndarray, sampler: str, seed: int, epoch: int) -> np.ndarray:
    """int64 [epoch_length]: positions of the examples of one epoch, in the order in which they are learnt.

    Args:
        classes: int64 [n], 0-17.
        alike: int64 [n], as in `shown_per_epoch`.
        sampler: none: each once. one_mask: one of each number of `alike`, another one in each epoch.
            class, age: oversampling, with replacement, so that each class, or age group, that occurs is
            expected equally often. one_mask_class, one_mask_age: the same, of one_mask's examples.
    """
    random = seeds.generator(seed, "order", epoch)
    if sampler == "none":
        return random.permutation(len(classes))
    if sampler == ONE_MASK:
        shuffled = random.permutation(len(classes))
        _, first = np.unique(alike[shuffled], return_index=True)
        return shuffled[np.sort(first)]
    groups = classes if sampler.endswith("class") else labels.age_group_of(classes)
    shown = shown_per_epoch(alike, sampler)
    chance = shown / np.bincount(groups, shown)[groups]
    return random.choice(len(classes), size=epoch_length(alike, sampler), p=chance / chance.sum())
