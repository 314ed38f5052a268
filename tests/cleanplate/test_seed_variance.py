"""What all recipes of a sweep together tell of the variance between seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from cleanplate.comparison.alignment import align
from cleanplate.comparison.seed_variance import Prior, fit_prior
from cleanplate.comparison.verdict import compare
from tests.fixtures.predictions import tables

SEEDS = 3


def variances(deviations: np.ndarray, seed: int) -> np.ndarray:
    """Of three normal numbers with each of these standard deviations."""
    numbers = np.random.default_rng(seed).normal(0, 1, (len(deviations), SEEDS)) * deviations[:, None]
    return numbers.var(axis=1, ddof=1)


def prior_of(deviations: np.ndarray, seed: int) -> Prior:
    return fit_prior(variances(deviations, seed), np.full(len(deviations), SEEDS - 1.0))


def test_recipes_that_vary_alike_are_worth_many_seeds() -> None:
    alike = [prior_of(np.full(20, 0.03), seed) for seed in range(8)]
    assert np.median([prior.freedom for prior in alike]) >= 2
    assert np.median([prior.variance**0.5 for prior in alike]) == pytest.approx(0.03, rel=0.25)
    apart = [prior_of(np.geomspace(0.001, 0.3, 20), seed) for seed in range(8)]
    assert np.median([prior.freedom for prior in apart]) <= 0.5


def test_moderated_variance_lies_between_and_never_counts_more_than_there_is() -> None:
    prior = Prior(variance=4.0, freedom=6.0, total=7.0)
    assert prior.moderate(1.0, 2.0) == (pytest.approx((6 * 4 + 2 * 1) / 8), 7.0)
    assert prior.moderate(0.0, 0.0) == (4.0, 6.0)  # one run
    assert prior.moderate(0.0, 2.0) == (0.0, 2.0)  # runs that are the same: a linear model has no seed
    few = prior_of(np.full(4, 0.03), 0)
    assert few.moderate(1.0, 2.0) == (1.0, 2.0)


def test_equal_recipes_are_told_apart_as_rarely_as_promised() -> None:
    """14 recipes of equal means, of equal spread or with spreads that differ by half as much again."""
    random, wrong, asked = np.random.default_rng(3), 0, 0
    for spread in (0.0, 0.4) * 30:
        runs = random.normal(0, 1, (14, SEEDS)) * np.exp(random.normal(0, spread, 14))[:, None]
        prior = fit_prior(runs.var(axis=1, ddof=1), np.full(14, SEEDS - 1.0))
        found = [prior.moderate(v, SEEDS - 1.0) for v in runs.var(axis=1, ddof=1)]
        for (v, df), mean in zip(found[1:], runs.mean(axis=1)[1:], strict=True):
            parts = np.array([found[0][0], v]) / SEEDS
            freedom = parts.sum() ** 2 / (parts**2 / [found[0][1], df]).sum()
            p = 2 * special.stdtr(freedom, -abs(mean - runs[0].mean()) / np.sqrt(parts.sum()))
            wrong, asked = wrong + (p < 0.05), asked + 1
    assert 0.03 <= wrong / asked <= 0.1


def test_a_sweep_shows_what_three_seeds_alone_do_not() -> None:
    """The same two recipes of three seeds, alone and among six others that vary as much."""
    skills = {
        f"{name}{run}": skill + step
        for name, skill in zip("abcdefgh", (0.6, 0.72, *[0.6] * 6), strict=True)
        for run, step in enumerate((-0.012, 0.0, 0.012))
    }
    of = tables(250, **skills)
    runs = {name: tuple(f"{name}{run}" for run in range(SEEDS)) for name in "abcdefgh"}
    two = {run: of[run] for name in "ab" for run in runs[name]}
    alone = compare(align(two, runs={n: runs[n] for n in "ab"}), [("a", "b")], draws=200, swaps=20)
    among = compare(align(of, runs=runs), [("a", other) for other in "bcdefgh"], draws=200, swaps=20)
    before, after = (c.pairs[0].differences["macro_f1"] for c in (alone, among))
    assert after.value == before.value
    assert after.freedom > 1.5 * before.freedom
    assert after.p < before.p
    assert not alone.notes
    assert "between seeds macro-F1 has a standard deviation of 0.0" in among.notes[-1]
