"""Estimates the score of a new submission from its agreement with a scored one.

Both answer the same N photos. They agree on a share g; on the rest, d = 1 − g, the old one is right in a
share u, the new one in a share v, neither in w = 1 − u − v. Where they agree, both are right in a share r.
Thus

    known accuracy  a = g·r + d·u          new accuracy  b = g·r + d·v = a + d·(v − u)

Only a and g are known. About the rest two things are assumed: a photo on which both agree is no less likely
to be right than one on which they differ (u ≤ r and v ≤ r; hence also (a − g) / d ≤ u ≤ a), and within that
every (u, v, w) is equally likely (a flat Dirichlet). The interval is what remains open: about ± 0.8·d at
most, so a new submission that agrees on 95 % is known to ± 0.04. Evidence shrinks it: labelled photos on
which the same two models disagree are counted into the Dirichlet, and then the middle is no longer only a
guess. Over simulated pairs of models of unlike skill (tests/cleanplate/test_score.py) it held in 9 of 10.

For macro-F1 the true classes are drawn to match: those that both got wrong get a class at random, in the
proportions in which the two submissions use the classes. A few rare classes decide macro-F1, so it is the
less certain of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from pipeline import seeds
from pipeline.evaluate import bootstrap, metrics
from pipeline.labels import CLASSES

FLAT_PRIOR = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Forecast:
    """Of one score of the new submission: its mean and 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Shares:
    """Draws [B] of how right both (r), the old (u) and the new one (v) are, see above."""

    r: np.ndarray
    u: np.ndarray
    v: np.ndarray


def forecast(
    known: np.ndarray,
    new: np.ndarray,
    accuracy: float | None = None,
    macro_f1: float | None = None,
    evidence: tuple[float, float, float] = (0.0, 0.0, 0.0),
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Forecast]:
    """`{"accuracy": …, "macro_f1": …}` of the new submission; macro_f1 only if the old one's is known.

    Args:
        known, new: int [N], classes 0-17, of the same photos.
        accuracy, macro_f1: scores of the old submission in [0, 1]; a missing accuracy is fitted to macro_f1.
        evidence: labelled cases where the models disagree: the old one, the new one, neither one right.
        draws, seed: of the simulation.
    """
    random = seeds.generator(seed, "agreement")
    if accuracy is None:
        if macro_f1 is None:
            raise ValueError("accuracy or macro_f1 must be known")
        accuracy = _fit_accuracy(known, new, macro_f1, seed)
    share = float((known != new).mean())
    shares = sample_shares(accuracy, 1 - share, evidence, draws, random)
    scores = {"accuracy": _forecast(accuracy + share * (shares.v - shares.u))}
    if macro_f1 is not None:
        gains = [_gain(_truth(known, new, r, u, v, random), known, new) for r, u, v in _rows(shares)]
        scores["macro_f1"] = _forecast(macro_f1 + np.array(gains))
    return scores


def disagreements(
    truth: np.ndarray, known: np.ndarray, new: np.ndarray, person: np.ndarray
) -> tuple[float, float, float]:
    """Evidence from labelled photos: how often the old, the new, neither model is right where they differ.

    Photos of one person count as one case, since they resemble each other.

    Args:
        truth, known, new: int [N], classes 0-17.
        person: str [N].
    """
    rows = np.flatnonzero(known != new)
    _, person_of, photos = np.unique(person[rows], return_inverse=True, return_counts=True)
    weight = 1.0 / photos[person_of]
    old, fresh = (float(weight[answers[rows] == truth[rows]].sum()) for answers in (known, new))
    return old, fresh, float(weight.sum()) - old - fresh


def sample_shares(
    accuracy: float,
    agreement: float,
    evidence: tuple[float, float, float],
    draws: int,
    random: np.random.Generator,
) -> Shares:
    """Draws of (r, u, v) from the Dirichlet, cut off at what `accuracy` and the assumptions allow."""
    old, fresh, neither = (f + e for f, e in zip(FLAT_PRIOR, evidence, strict=True))
    d = 1 - agreement
    if d == 0:
        return Shares(np.full(draws, accuracy), np.zeros(draws), np.zeros(draws))
    min_u = max(0.0, (accuracy - agreement) / d)
    u = _beta_between(old, fresh + neither, min_u, accuracy, random.random(8 * draws))
    r = np.clip((accuracy - d * u) / agreement, 0, 1) if agreement else np.ones_like(u)
    max_v = np.minimum(1.0, r / np.maximum(1 - u, 1e-12))  # v ≤ r, as a share of what u leaves over
    weight = special.betainc(fresh, neither, max_v)
    kept = random.choice(len(u), size=draws, p=weight / weight.sum())
    v = (1 - u[kept]) * _beta_between(fresh, neither, 0.0, max_v[kept], random.random(draws))
    return Shares(r[kept], u[kept], v)


def _beta_between(
    a: float, b: float, low: float, high: float | np.ndarray, uniform: np.ndarray
) -> np.ndarray:
    """Draws of Beta(a, b) between two bounds, by its inverse distribution function."""
    start, end = special.betainc(a, b, low), special.betainc(a, b, high)
    samples = special.betaincinv(a, b, start + (end - start) * uniform)
    return np.clip(samples, low, high)


def _rows(shares: Shares) -> np.ndarray:
    return np.stack([shares.r, shares.u, shares.v], axis=1)


def _truth(
    known: np.ndarray, new: np.ndarray, r: float, u: float, v: float, random: np.random.Generator
) -> np.ndarray:
    """int64 [N]: simulated true classes that give exactly these shares (rounded) of right answers."""
    use = np.bincount(known, minlength=CLASSES) + np.bincount(new, minlength=CLASSES)
    truth = _other_class(known, new, use / use.sum(), random)
    same, differ = (random.permutation(np.flatnonzero(where)) for where in (known == new, known != new))
    right = same[: round(r * len(same))]
    truth[right] = known[right]
    first, second = round(u * len(differ)), round((u + v) * len(differ))
    truth[differ[:first]] = known[differ[:first]]
    truth[differ[first:second]] = new[differ[first:second]]
    return truth


def _other_class(
    known: np.ndarray, new: np.ndarray, use: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """int64 [N]: a random class that neither submission chose, with probabilities `use` [18]."""
    chance = np.tile(use + 1e-9, (len(known), 1))
    rows = np.arange(len(known))
    chance[rows, known] = 0
    chance[rows, new] = 0
    total = chance.cumsum(axis=1)
    return (total < random.random(len(known))[:, None] * total[:, -1:]).sum(axis=1).astype(np.int64)


def _gain(truth: np.ndarray, known: np.ndarray, new: np.ndarray) -> float:
    return _macro_f1(truth, new) - _macro_f1(truth, known)


def _macro_f1(truth: np.ndarray, answers: np.ndarray) -> float:
    return float(metrics.macro_f1(metrics.confusion(truth, answers)))


def _fit_accuracy(known: np.ndarray, new: np.ndarray, macro_f1: float, seed: int) -> float:
    """The accuracy that gives the known submission a simulated macro-F1 of `macro_f1`."""

    def simulated(accuracy: float) -> float:
        random = seeds.generator(seed, "fitting accuracy")
        shares = sample_shares(accuracy, float((known == new).mean()), (0, 0, 0), 20, random)
        return float(
            np.mean([_macro_f1(_truth(known, new, r, u, v, random), known) for r, u, v in _rows(shares)])
        )

    def excess(accuracy: float) -> float:
        known_ends = accuracy in (0.0, 1.0)  # all wrong is 0, all right is 1; neither can be simulated
        return (accuracy if known_ends else simulated(accuracy)) - macro_f1

    return float(optimize.bisect(excess, 0.0, 1.0, xtol=2**-14))  # pyright: ignore[reportArgumentType]


def _forecast(values: np.ndarray) -> Forecast:
    values = np.clip(values, 0, 1)
    low, high = bootstrap.interval(values)
    return Forecast(float(values.mean()), low, high)
