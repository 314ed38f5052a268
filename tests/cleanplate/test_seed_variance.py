"""What all recipes of a sweep together tell of the variance between seeds."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.comparison import pooled, seed_variance
from cleanplate.comparison.alignment import align
from cleanplate.comparison.paired import NAMES
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


def recipes(deviations: np.ndarray, random: np.random.Generator) -> list[pooled.SeedScores]:
    """Of one mean: scores of 100 people, with luck of their own in each run, moved by these deviations."""
    people, luck = random.normal(0, 0.2, 100), 0.07
    weights = random.multinomial(100, np.full(100, 0.01), size=60).T / 100
    found = []
    for deviation in deviations:
        moved = random.normal(0, deviation, (SEEDS, 1))
        runs = people + random.normal(0, luck, (SEEDS, 100)) + moved
        columns = (runs.mean(axis=1)[:, None], (runs @ weights)[:, None])
        found.append(pooled.SeedScores(100, *(c.repeat(len(NAMES), axis=1) for c in columns)))
    return found


def test_recipes_that_vary_alike_are_worth_many_seeds() -> None:
    alike = [prior_of(np.full(20, 0.03), seed) for seed in range(8)]
    assert np.median([prior.freedom for prior in alike]) >= 2
    assert np.median([prior.variance**0.5 for prior in alike]) == pytest.approx(0.03, rel=0.25)
    apart = [prior_of(np.geomspace(0.001, 0.3, 20), seed) for seed in range(8)]
    assert np.median([prior.freedom for prior in apart]) <= 0.5


def test_likeliest_prior_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    vouched = [prior_of(np.full(8, 0.03), seed).freedom for seed in range(8)]
    monkeypatch.setattr(seed_variance, "DROP", 0.0)
    likeliest = [prior_of(np.full(8, 0.03), seed).freedom for seed in range(8)]
    assert max(vouched) < 10 < np.median(likeliest)


def test_moderated_variance_lies_between_and_never_counts_more_than_there_is() -> None:
    prior = Prior(variance=4.0, freedom=6.0, total=7.0)
    assert prior.moderate(1.0, 2.0) == (pytest.approx((6 * 4 + 2 * 1) / 8), 7.0)
    assert prior.moderate(1.0, 2.0, shift=-3.0) == (pytest.approx((6 * 1 + 2 * 1) / 8), 7.0)
    few = prior_of(np.full(4, 0.03), 0)
    assert few.moderate(1.0, 2.0) == (1.0, 2.0)


def test_runs_of_equal_answers_stay_out() -> None:
    """A linear model has no seed; .7 three times has a variance of 1e-32 in floats."""
    random = np.random.default_rng(0)
    of = recipes(np.full(10, 0.02), random)
    same = pooled.SeedScores(100, np.full((SEEDS, len(NAMES)), 0.7), of[0].draws[:1].repeat(SEEDS, axis=0))
    assert not same.variance().any()
    assert pooled.fit_priors([*of, same]).priors == pooled.fit_priors(of).priors
    part = pooled.pooled_differences(same, same, pooled.fit_priors(of))["macro_f1"]
    assert (part.value, part.seed_error) == (0.0, 0.0)


@pytest.mark.parametrize(("single", "most"), [(False, 0.11), (True, 0.09)])
def test_equal_recipes_are_told_apart_as_rarely_as_promised(single: bool, most: float) -> None:
    """Six pairs among twelve that spread alike; the second has three runs, or one. p < .05."""
    random, found = np.random.default_rng(3), []
    for _ in range(50):
        of = recipes(np.full(12, 0.02), random)
        priors = pooled.fit_priors(of[::2] if single else of)
        for first, second in zip(of[::2], of[1::2], strict=True):
            other = pooled.SeedScores(100, second.point[:1], second.draws[:1]) if single else second
            found.append(pooled.pooled_differences(first, other, priors)["macro_f1"].p)
    p = np.array(found)
    assert 0.01 <= np.mean(p < 0.05) <= most
    assert np.mean(p < 0.002) <= 0.01


def test_single_run_varies_no_less_than_the_recipe_beside_it() -> None:
    """Two unsteady recipes among eight steady ones, of which the prior knows little."""
    steady_and_known = recipes(np.array([0.002] * 8 + [0.1]), np.random.default_rng(5))
    known, priors = steady_and_known[-1], pooled.fit_priors(steady_and_known)
    single = pooled.SeedScores(100, known.point[:1], known.draws[:1])
    found = pooled.pooled_differences(known, single, priors)["macro_f1"]
    assert priors.priors[0].freedom < 1
    assert found.seed_error > 0.8 * known.point[:, 0].std(ddof=1)


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
    assert after.freedom > 1.3 * before.freedom
    assert after.p < before.p
    assert not alone.notes
    assert "more of its own seeds" in among.notes[-1]
