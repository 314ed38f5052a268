"""The difference between two models on the same people: interval, p-value, and number of people needed.

Resampling keeps a person's confusions under both models together: a hard person is hard for both, so a paired
comparison is more sensitive than two separate intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pipeline import seeds
from pipeline.evaluate import bootstrap, metrics

NAMES = ("macro_f1", "mask.macro_f1", "gender.macro_f1", "age.macro_f1", "accuracy")
MAX_EXACT_PEOPLE = 12  # for up to 12 people who differ, test all 2**n permutations instead of a sample
ALPHA = 0.05
POWER = 0.8
_TOLERANCE = 1e-12  # for equal statistics with another order of addition


@dataclass(frozen=True)
class Difference:
    """Score of the variant minus score of the reference.

    Args:
        value: on all people.
        low, high: interval (95 %) of the paired bootstrap over people, see `bootstrap.expanded_interval`; of
            several seeds that of pooled.py, over people and seeds.
        error: standard error, from the standard deviation over the same draws.
        p: two-sided, of the permutation test; 1.0 where no person differs.
        freedom: degrees of freedom of `error`: people − 1, fewer where seeds add to it.
        seed_error: what seeds alone add to `error`, as a standard error; 0 with one seed each.
    """

    value: float
    low: float
    high: float
    error: float
    p: float
    freedom: float
    seed_error: float = 0.0


def differences(
    reference: np.ndarray, variant: np.ndarray, draws: int, swaps: int, seed: int
) -> dict[str, Difference]:
    """Each score of `NAMES`, variant minus reference.

    Args:
        reference, variant: int [P, 18, 18], P ≥ 1, confusions of the same people in the same order.
        draws: bootstrap resamples of people, the same for both models.
        swaps: number of random permutations.
        seed: of both.
    """
    counts = bootstrap.resample_counts(len(reference), draws, seed)
    before, after = (stacked_scores(bootstrap.resampled(c, counts)) for c in (reference, variant))
    value = point_scores(variant) - point_scores(reference)
    p = permutation_p(reference, variant, swaps, seed)
    result: dict[str, Difference] = {}
    for i, name in enumerate(NAMES):
        deltas = after[i] - before[i]
        low, high = difference_interval(deltas, len(reference))
        error = standard_error(deltas, len(reference))
        result[name] = Difference(float(value[i]), low, high, error, float(p[i]), len(reference) - 1.0)
    return result


def difference_interval(deltas: np.ndarray, people: int) -> tuple[float, float]:
    """The interval (95 %) of a difference of two shares from its bootstrap draws [B] over `people`."""
    if people < 2:
        return -1.0, 1.0  # the full range: one person gives no information
    return bootstrap.expanded_interval(deltas, people)


def standard_error(deltas: np.ndarray, people: int) -> float:
    """Of a difference from its bootstrap draws [B] over `people`."""
    return float(np.nanstd(deltas)) * math.sqrt(people / max(people - 1, 1))


def permutation_p(reference: np.ndarray, variant: np.ndarray, swaps: int, seed: int) -> np.ndarray:
    """float64 [len(NAMES)]: two-sided p-values of the paired permutation test over people.

    A permutation swaps all answers about random people between the models. The p-value is the share of
    permutations with at least the observed difference: approximate randomisation (Noreen 1989; Yeh, More
    accurate tests for the statistical significance of result differences, COLING 2000), as (b+1)/(m+1) after
    Phipson & Smyth (2010) so that p is never 0. People with equal confusions under both models have no effect
    and are left out; with at most MAX_EXACT_PEOPLE others, the test is exact.
    """
    change = (variant - reference).reshape(len(reference), -1)
    change = change[change.any(axis=1)]
    observed = np.abs(point_scores(variant) - point_scores(reference))
    if len(change) == 0:
        return np.ones(len(NAMES))
    exact = len(change) <= MAX_EXACT_PEOPLE
    permutations = _all_permutations(len(change)) if exact else _random_permutations(len(change), swaps, seed)
    moved = (
        np.rint(permutations @ change.astype(np.float64)).astype(np.int64).reshape(-1, *reference.shape[1:])
    )
    deltas = stacked_scores(variant.sum(axis=0) - moved) - stacked_scores(reference.sum(axis=0) + moved)
    as_large = (np.abs(deltas) >= observed[:, None] - _TOLERANCE).sum(axis=1)
    return as_large / len(permutations) if exact else (as_large + 1) / (len(permutations) + 1)


def power_quantile(freedom: float, alpha: float = ALPHA) -> float:
    """By how many standard errors a true difference must differ from 0 to have a p below `alpha` in 80 % of
    studies: the quantiles of 1 − alpha / 2 and .8 of Student's t, with `freedom` or one degree of freedom."""
    degrees = max(freedom, 1.0)
    return float(special.stdtrit(degrees, 1 - alpha / 2) + special.stdtrit(degrees, POWER))


def people_needed(difference: Difference, people: int, alpha: float = ALPHA) -> int | None:
    """Number of people for 80 % power to detect a difference of this size; None if no number would do.

    n · (q · error / value)², q from `power_quantile`: the error of the paired difference shrinks with the
    square root of the number of people, but for what seeds add to it. It assumes that the observed difference
    is the true one, so it is only a guide.

    Args:
        people: behind `difference`.
        alpha: what p has to be below, less than .05 where it is one of several comparisons.
    """
    if abs(difference.value) < _TOLERANCE:
        return None
    quantile = power_quantile(difference.freedom, alpha)
    allowed = (difference.value / quantile) ** 2 - difference.seed_error**2
    if allowed <= 0:
        return None
    return max(2, math.ceil(people * (difference.error**2 - difference.seed_error**2) / allowed))


def equivalence_p(difference: Difference, margin: float, people: int) -> float:
    """The p-value of "the true difference is `margin` or more, either way" (both > 0).

    Two one-sided t tests, of which the larger p counts (Schuirmann, A comparison of the two one-sided tests
    procedure and the power approach, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). Never below
    (1 − margin)ⁿ, the chance that of n people nobody is of a kind that a share `margin` of all are: whether
    such people are answered otherwise, n of others do not tell.
    """
    if difference.freedom < 1:
        return 1.0
    room = margin - abs(difference.value)
    if room <= 0:
        return 1.0
    unseen = (1 - margin) ** people
    if difference.error == 0:
        return unseen
    return max(unseen, float(special.stdtr(difference.freedom, -room / difference.error)))


def detectable_difference(difference: Difference, alpha: float = ALPHA) -> float:
    """The true difference that this many people detect with 80 % power, as `people_needed`."""
    return power_quantile(difference.freedom, alpha) * difference.error


def stacked_scores(confusions: np.ndarray) -> np.ndarray:
    """float64 [len(NAMES), ...] from confusions [..., 18, 18]."""
    by_name = metrics.scores(confusions)
    return np.stack([by_name[name] for name in NAMES])


def point_scores(by_person: np.ndarray) -> np.ndarray:
    """float64 [len(NAMES)] of confusions [P, 18, 18], all people together."""
    return stacked_scores(by_person.sum(axis=0))


def _all_permutations(people: int) -> np.ndarray:
    return (np.arange(2**people)[:, None] >> np.arange(people) & 1).astype(np.float64)


def _random_permutations(people: int, swaps: int, seed: int) -> np.ndarray:
    random = seeds.generator(seed, "swaps of people", people)
    return random.integers(0, 2, size=(swaps, people)).astype(np.float64)
