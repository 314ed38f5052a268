"""The difference between two models on the same people: interval, p-value, and how many people it would take.

Confusions of one person under both models stay together everywhere: a person who is hard is hard for both,
and that is what makes a paired comparison see more than two separate intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pipeline import seeds
from pipeline.evaluate import bootstrap, metrics

NAMES = ("macro_f1", "mask.macro_f1", "gender.macro_f1", "age.macro_f1", "accuracy")
EXACT = 12  # up to so many people who differ, all 2**n swaps are looked at instead of a sample
ALPHA = 0.05
POWER = 0.8
_TIE = 1e-12  # swaps that give the same statistic by another order of addition


@dataclass(frozen=True)
class Difference:
    """Score of the variant minus score of the reference.

    Args:
        value: on all people.
        low, high: interval (95 %) of the paired bootstrap over people, see `bootstrap.expanded_interval`.
        error: standard error, from the standard deviation over the same draws.
        p: two-sided, of the permutation test; 1.0 where no person differs.
    """

    value: float
    low: float
    high: float
    error: float
    p: float


def differences(
    reference: np.ndarray, variant: np.ndarray, draws: int, swaps: int, seed: int
) -> dict[str, Difference]:
    """Each score of `NAMES`, variant minus reference.

    Args:
        reference, variant: int [P, 18, 18], P ≥ 1, confusions of the same people in the same order.
        draws: bootstrap resamples of people; both models get the same ones.
        swaps: permutations, where not all are looked at.
        seed: of both.
    """
    counts = bootstrap.resample_counts(len(reference), draws, seed)
    before, after = (_scores(bootstrap.resampled(c, counts)) for c in (reference, variant))
    value = _point(variant) - _point(reference)
    p = permutation_p(reference, variant, swaps, seed)
    found: dict[str, Difference] = {}
    for i, name in enumerate(NAMES):
        apart = after[i] - before[i]
        low, high = apart_interval(apart, len(reference))
        found[name] = Difference(
            float(value[i]), low, high, standard_error(apart, len(reference)), float(p[i])
        )
    return found


def apart_interval(apart: np.ndarray, people: int) -> tuple[float, float]:
    """The interval (95 %) of a difference of two shares from its bootstrap draws [B] over `people`."""
    if people < 2:
        return -1.0, 1.0  # all that such a difference can be: one person shows nothing
    return bootstrap.expanded_interval(apart, people)


def standard_error(apart: np.ndarray, people: int) -> float:
    """Of a difference from its bootstrap draws [B] over `people`."""
    return float(np.nanstd(apart)) * math.sqrt(people / max(people - 1, 1))


def permutation_p(reference: np.ndarray, variant: np.ndarray, swaps: int, seed: int) -> np.ndarray:
    """float64 [len(NAMES)]: two-sided p-values of the paired permutation test over people.

    If the two models were interchangeable, then swapping all answers about one person between them would
    change nothing but chance. The share of random swaps whose difference is at least as large as the one
    seen, with the seen one counted too, is the p-value: approximate randomisation (Noreen 1989; Yeh, More
    accurate tests for the statistical significance of result differences, COLING 2000), with (b+1)/(m+1)
    after Phipson & Smyth (2010) so that p is never 0. People whose confusions are equal under both
    models swap to no effect and are left out; with at most EXACT others all swaps are looked at and p is
    exact.
    """
    change = (variant - reference).reshape(len(reference), -1)
    change = change[change.any(axis=1)]
    seen = np.abs(_point(variant) - _point(reference))
    if len(change) == 0:
        return np.ones(len(NAMES))
    exact = len(change) <= EXACT
    swapped = _all_swaps(len(change)) if exact else _random_swaps(len(change), swaps, seed)
    moved = np.rint(swapped @ change.astype(np.float64)).astype(np.int64).reshape(-1, *reference.shape[1:])
    apart = _scores(variant.sum(axis=0) - moved) - _scores(reference.sum(axis=0) + moved)
    as_large = (np.abs(apart) >= seen[:, None] - _TIE).sum(axis=1)
    return as_large / len(swapped) if exact else (as_large + 1) / (len(swapped) + 1)


def people_needed(difference: Difference, people: int) -> int | None:
    """About how many people would show a difference of this size in 4 of 5 such studies; None where it is 0.

    n · ((z₀.₉₇₅ + z₀.₈) · error / value)²: the error of the paired difference shrinks with the square root
    of the number of people. It takes the difference seen for the true one, so it is a guide, not a promise.
    """
    if abs(difference.value) < _TIE:
        return None
    return max(2, math.ceil(people * (smallest_seen(difference) / abs(difference.value)) ** 2))


def smallest_seen(difference: Difference) -> float:
    """The true difference that this many people would show in 4 of 5 studies: (z₀.₉₇₅ + z₀.₈) · error."""
    normal = NormalDist()
    return (normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(POWER)) * difference.error


def _scores(confusions: np.ndarray) -> np.ndarray:
    found = metrics.scores(confusions)
    return np.stack([found[name] for name in NAMES])


def _point(by_person: np.ndarray) -> np.ndarray:
    return _scores(by_person.sum(axis=0))


def _all_swaps(people: int) -> np.ndarray:
    return (np.arange(2**people)[:, None] >> np.arange(people) & 1).astype(np.float64)


def _random_swaps(people: int, swaps: int, seed: int) -> np.ndarray:
    random = seeds.generator(seed, "swaps of people", people)
    return random.integers(0, 2, size=(swaps, people)).astype(np.float64)
