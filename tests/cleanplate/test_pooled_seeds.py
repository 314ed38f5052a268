"""The statistics behind `seeds: 3` and `compare --seeds`: intervals over people and seeds."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.comparison import paired, pooled
from cleanplate.comparison.alignment import align, flipped_people
from cleanplate.comparison.verdict import compare
from cleanplate.comparison.wording import format_verdict
from pipeline.evaluate import metrics
from tests.fixtures.predictions import PHOTOS, answers, pair_of_models, people_and_truth, tables


def recipe(people: int, skill: float, spread: float, seeds: int, seed: int, side: int) -> list[np.ndarray]:
    """Confusions by person of the runs of a recipe whose skill varies with the seed."""
    person, truth = people_and_truth(people, PHOTOS, seed)
    skills = skill + np.random.default_rng([seed, side, 7]).normal(0, spread, seeds)
    runs = [answers(truth, PHOTOS, s, 100 * seed + 10 * side + k, seed) for k, s in enumerate(skills)]
    return [metrics.confusion_by_person(truth, run, person) for run in runs]


def difference(reference: pooled.SeedScores, variant: pooled.SeedScores) -> dict[str, paired.Difference]:
    return pooled.pooled_differences(reference, variant, pooled.fit_priors([reference, variant]))


def test_interval_over_people_and_seeds_covers_what_one_over_people_does_not() -> None:
    """Two recipes that are equal, three seeds of each: what differs are the seeds."""
    covered = {"pooled": 0, "people alone": 0, "p below .05": 0}
    for seed in range(60):
        runs = [recipe(80, 0.7, 0.03, 3, seed, side) for side in (0, 1)]
        scores = [pooled.score_runs(r, 100, seed) for r in runs]
        found = difference(*scores)["accuracy"]
        covered["pooled"] += found.low <= 0 <= found.high
        covered["p below .05"] += found.p < 0.05
        one = paired.differences(runs[0][0], runs[1][0], draws=100, swaps=20, seed=seed)["accuracy"]
        covered["people alone"] += one.low <= 0 <= one.high
    assert covered["pooled"] >= 0.87 * 60
    assert covered["p below .05"] == 60 - covered["pooled"]
    assert covered["people alone"] <= 0.75 * 60


def test_seeds_that_differ_by_chance_alone_cost_no_power() -> None:
    """Runs of one skill differ by luck with each photo, which the bootstrap over people sees already."""
    runs = [
        pooled.score_runs(recipe(150, skill, 0.0, 3, 4, side), 300, 0)
        for side, skill in ((0, 0.7), (1, 0.76))
    ]
    several = difference(*runs)["macro_f1"]
    one = paired.differences(*pair_of_models(150, (0.7, 0.76), 4), draws=300, swaps=20, seed=0)["macro_f1"]
    assert several.error < 0.8 * one.error
    assert several.seed_error < 0.5 * several.error
    assert several.p < 0.05


def test_more_people_do_not_help_where_the_seeds_differ() -> None:
    def pooled_pair(spread: float) -> paired.Difference:
        sides = [recipe(300, 0.7 + 0.01 * side, spread, 2, 6, side) for side in (0, 1)]
        return difference(*(pooled.score_runs(s, 200, 0) for s in sides))["macro_f1"]

    unsteady = pooled_pair(0.08)
    assert paired.people_needed(unsteady, 300) is None
    data = align(tables(30, a=0.7, b=0.7, c=0.4, d=0.9), runs={"base": ("a", "c"), "other": ("b", "d")})
    result = compare(data, [("base", "other")], draws=200, swaps=200)
    (pair,) = result.pairs
    assert (pair.seeds, pair.verdict) == ((2, 2), "cannot tell")
    assert "cannot tell at 30 people and 2 seeds" in format_verdict(pair)
    assert "so few seeds show no difference below" in format_verdict(pair)


def test_mean_over_seeds_is_what_is_compared() -> None:
    of = tables(40, a=0.5, b=0.7, c=0.9)
    data = align(of, runs={"base": ("a",), "both": ("b", "c")})
    result = compare(data, [("base", "both")], draws=200, swaps=200)
    own = compare(align(of), [("a", "b"), ("a", "c")], draws=200, swaps=200).scores
    mean = (own["b"]["macro_f1"]["value"] + own["c"]["macro_f1"]["value"]) / 2
    assert result.scores["both"]["macro_f1"]["value"] == pytest.approx(mean)
    assert result.scores["both"]["macro_f1"]["low"] < mean < result.scores["both"]["macro_f1"]["high"]
    assert result.pairs[0].differences["macro_f1"].value == pytest.approx(
        mean - own["a"]["macro_f1"]["value"]
    )
    assert result.scores["base"] == own["a"]  # a recipe of one run is scored as ever
    assert result.seeds == {"base": 1, "both": 2}
    each = [flipped_people(align(of), "a", name).set_index("person")["mended"] for name in "bc"]
    people = flipped_people(data, "base", "both").set_index("person")["mended"]
    np.testing.assert_allclose(people, (each[0].add(each[1], fill_value=0) / 2).reindex(people.index))
