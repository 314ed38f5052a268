"""Recipes that were trained with several seeds: their mean scores, and the difference between two of them.

A run's score varies with the people whom it is asked about and with its seed, crossed: every run of a
comparison answers about the same people. The variance of a mean over S seeds is estimated in two parts
(method of moments for crossed random effects: Searle, Casella & McCulloch, Variance Components, 1992,
chapter 4; why resampling rows and columns alone overstates it: Owen, The pigeonhole bootstrap, Annals of
Applied Statistics 1, 2007):

    people  the variance of the mean's bootstrap draws over people, × P / (P − 1)
    seeds   (s² − i) / S, not below 0: s² is the variance of the runs' scores, moderated by those of other
            recipes (seed_variance.py); i is the variance over people of a run's deviation from the mean of
            the runs, which the first part holds already

The interval is Student's t around the difference, with the degrees of freedom of Welch (The generalization of
"Student's" problem when several different population variances are involved, Biometrika 34, 1947) and
Satterthwaite (An approximate distribution of estimates of variance components, Biometrics Bulletin 2, 1946);
the p-value belongs to it. A permutation test of runs could not do: three seeds against three can be exchanged
in 20 ways only, so no p would ever be below 0.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from cleanplate.comparison.paired import NAMES, Difference, point_scores, stacked_scores
from cleanplate.comparison.seed_variance import Prior, fit_prior
from pipeline.evaluate import bootstrap


@dataclass(frozen=True)
class SeedScores:
    """Scores of the S runs of a recipe, K = len(NAMES) of each.

    Args:
        people: P, number of people that all runs answer about.
        point: float64 [S, K], on all people.
        draws: float64 [S, K, B], on the same B resamples of people for every recipe.
    """

    people: int
    point: np.ndarray
    draws: np.ndarray

    @property
    def seeds(self) -> int:
        return len(self.point)

    def variance(self) -> np.ndarray:
        """float64 [K]: s², between the scores of two or more runs; exactly 0 where all answers are equal."""
        same = np.all(self.draws == self.draws[:1], axis=(0, 2)) & np.all(self.point == self.point[0], axis=0)
        return np.where(same, 0.0, np.maximum(self.point.var(axis=0, ddof=1), np.finfo(float).tiny))

    def people_part(self) -> np.ndarray:
        """float64 [K]: i, what of s² comes from the people who are asked about."""
        deviation = self.draws - self.draws.mean(axis=0)
        return np.var(deviation, axis=2).mean(axis=0) * self.seeds / (self.seeds - 1) * _unbias(self.people)


@dataclass(frozen=True)
class SeedPriors:
    """How the scores of `NAMES` vary between seeds, by all recipes with several seeds.

    Args:
        priors: of s², one for each score.
        people_part: float64 [K], the mean of i over these recipes.
    """

    priors: list[Prior]
    people_part: np.ndarray


@dataclass(frozen=True)
class SeedPart:
    """What seeds add to the variance of a mean over S runs.

    Args:
        variance: float64 [K], (s̃² − i) / S.
        spread: float64 [K], s̃² / S, whose uncertainty is that of `variance`.
        freedom: float64 [K], its degrees of freedom.
    """

    variance: np.ndarray
    spread: np.ndarray
    freedom: np.ndarray


def score_runs(by_person: Sequence[np.ndarray], draws: int, seed: int) -> SeedScores:
    """The scores of runs from their confusions by person, int [P, 18, 18] each, P ≥ 1.

    Args:
        by_person: one for each run, of the same people in the same order.
        draws, seed: of the bootstrap over people.
    """
    counts = bootstrap.resample_counts(len(by_person[0]), draws, seed)
    return SeedScores(
        len(by_person[0]),
        np.stack([point_scores(c) for c in by_person]),
        np.stack([stacked_scores(bootstrap.resampled(c, counts)) for c in by_person]),
    )


def fit_priors(recipes: Sequence[SeedScores]) -> SeedPriors:
    """From the recipes with several seeds; without five of them nothing is known."""
    several = [recipe for recipe in recipes if recipe.seeds > 1]
    if not several:
        return SeedPriors([Prior()] * len(NAMES), np.zeros(len(NAMES)))
    freedom = np.array([recipe.seeds - 1.0 for recipe in several])
    variances = np.stack([recipe.variance() for recipe in several])
    parts = np.mean([recipe.people_part() for recipe in several], axis=0)
    return SeedPriors([fit_prior(variances[:, i], freedom) for i in range(len(NAMES))], parts)


def pooled_differences(
    reference: SeedScores, variant: SeedScores, priors: SeedPriors
) -> dict[str, Difference]:
    """Each score of `NAMES`, mean of the variant's runs minus mean of the reference's.

    One of the two may have a single run: between its seeds it is taken to vary as the other side does, or as
    the prior says where that is more.

    Args:
        priors: of `fit_priors`, perhaps from other photos.
    """
    value = variant.point.mean(axis=0) - reference.point.mean(axis=0)
    draws = variant.draws.mean(axis=0) - reference.draws.mean(axis=0)
    known = reference if reference.seeds > 1 else variant
    parts = [_seed_part(side, known, priors) for side in (reference, variant)]
    return _differences(value, draws, parts, reference.people)


def pooled_intervals(runs: SeedScores, priors: SeedPriors) -> dict[str, dict[str, float]]:
    """The mean over two or more runs of each score of `NAMES`: `{"value", "low", "high"}`, within [0, 1]."""
    parts = [_seed_part(runs, runs, priors)]
    found = _differences(runs.point.mean(axis=0), runs.draws.mean(axis=0), parts, runs.people)
    return {
        name: {"value": d.value, "low": max(d.low, 0.0), "high": min(d.high, 1.0)}
        for name, d in found.items()
    }


def _seed_part(side: SeedScores, known: SeedScores, priors: SeedPriors) -> SeedPart:
    """Of `side`, by its own runs, or if it has one only, by those of `known` and the prior."""
    people_part = known.people_part()
    shifts = people_part - priors.people_part
    spread, freedom = np.empty(len(NAMES)), np.empty(len(NAMES))
    for i, (prior, own) in enumerate(zip(priors.priors, known.variance(), strict=True)):
        spread[i], freedom[i] = prior.moderate(float(own), known.seeds - 1.0, float(shifts[i]))
        if side.seeds == 1 and prior.freedom and prior.variance + shifts[i] > spread[i]:
            spread[i], freedom[i] = prior.variance + shifts[i], min(prior.freedom, prior.total)
    return SeedPart(np.maximum(spread - people_part, 0) / side.seeds, spread / side.seeds, freedom)


def _differences(
    value: np.ndarray, draws: np.ndarray, seed_parts: Sequence[SeedPart], people: int
) -> dict[str, Difference]:
    """From values [K], their draws over people [K, B], and what seeds add."""
    if people < 2:  # one person gives no information
        return {
            name: Difference(float(v), -1.0, 1.0, 0.0, 1.0, 0.0) for name, v in zip(NAMES, value, strict=True)
        }
    by_people = np.nanvar(draws, axis=1) * _unbias(people)
    by_seeds = np.sum([part.variance for part in seed_parts], axis=0)
    error = np.sqrt(by_people + by_seeds)
    by_part = [part.spread**2 / part.freedom for part in seed_parts]
    squares = by_people**2 / (people - 1) + np.sum(by_part, axis=0)
    certain = error == 0
    freedom = np.divide(error**4, squares, out=np.full(len(error), people - 1.0), where=~certain)
    t = np.divide(np.abs(value), error, out=np.where(value == 0, 0.0, np.inf), where=~certain)
    p = 2 * special.stdtr(freedom, -t)
    half = special.stdtrit(freedom, (1 + bootstrap.LEVEL) / 2) * error
    return {
        name: Difference(
            float(value[i]),
            float(value[i] - half[i]),
            float(value[i] + half[i]),
            float(error[i]),
            float(p[i]),
            float(freedom[i]),
            float(np.sqrt(by_seeds[i])),
        )
        for i, name in enumerate(NAMES)
    }


def _unbias(people: int) -> float:
    return people / max(people - 1, 1)
