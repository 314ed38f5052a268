"""Recipes that were trained with several seeds: their mean scores, and the difference between two of them.

A run's score varies with the people whom it is asked about and with its seed, crossed: every run of a
comparison answers about the same people. The variance of a mean over S seeds is estimated in two parts
(method of moments for crossed random effects: Searle, Casella & McCulloch, Variance Components, 1992,
chapter 4; why resampling rows and columns alone overstates it: Owen, The pigeonhole bootstrap, Annals of
Applied Statistics 1, 2007):

    people  the variance of the mean's bootstrap draws over people, × P / (P − 1)
    seeds   (s² − i) / S, not below 0: s² is the variance of the runs' scores, i the variance over people of a
            run's deviation from the mean of the runs, which the first part holds already

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

    def seed_variance(self) -> np.ndarray:
        """float64 [K]: of one run's score between seeds, people fixed; needs two seeds."""
        deviation = self.draws - self.draws.mean(axis=0)
        noise = np.var(deviation, axis=2).mean(axis=0) * self.seeds / (self.seeds - 1) * _unbias(self.people)
        return np.maximum(self.point.var(axis=0, ddof=1) - noise, 0)


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


def pooled_differences(reference: SeedScores, variant: SeedScores) -> dict[str, Difference]:
    """Each score of `NAMES`, mean of the variant's runs minus mean of the reference's.

    One of the two may have a single run: between its seeds it is taken to vary as the other one does.
    """
    value = variant.point.mean(axis=0) - reference.point.mean(axis=0)
    draws = variant.draws.mean(axis=0) - reference.draws.mean(axis=0)
    several = [side for side in (reference, variant) if side.seeds > 1]
    parts: list[tuple[np.ndarray, int]] = []
    for side in (reference, variant):
        known = side if side.seeds > 1 else several[0]
        parts.append((known.seed_variance() / side.seeds, known.seeds - 1))
    return _differences(value, draws, parts, reference.people)


def pooled_intervals(runs: SeedScores) -> dict[str, dict[str, float]]:
    """The mean over two or more runs of each score of `NAMES`: `{"value", "low", "high"}`, within [0, 1]."""
    parts = [(runs.seed_variance() / runs.seeds, runs.seeds - 1)]
    found = _differences(runs.point.mean(axis=0), runs.draws.mean(axis=0), parts, runs.people)
    return {
        name: {"value": d.value, "low": max(d.low, 0.0), "high": min(d.high, 1.0)}
        for name, d in found.items()
    }


def _differences(
    value: np.ndarray, draws: np.ndarray, seed_parts: list[tuple[np.ndarray, int]], people: int
) -> dict[str, Difference]:
    """From values [K], their draws over people [K, B], and the seeds' variances [K] with their degrees of
    freedom."""
    if people < 2:  # one person gives no information
        return {
            name: Difference(float(v), -1.0, 1.0, 0.0, 1.0, 0.0) for name, v in zip(NAMES, value, strict=True)
        }
    by_people = np.nanvar(draws, axis=1) * _unbias(people)
    by_seeds = np.sum([part for part, _ in seed_parts], axis=0)
    error = np.sqrt(by_people + by_seeds)
    squares = by_people**2 / (people - 1) + np.sum([part**2 / df for part, df in seed_parts], axis=0)
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
