"""The statistics behind `cleanplate compare`: do intervals cover, are p-values right, is a gain found?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cleanplate.comparison import paired
from cleanplate.comparison.alignment import align
from cleanplate.comparison.verdict import compare
from cleanplate.comparison.wording import format_verdict
from pipeline.evaluate import metrics
from pipeline.evaluate.multiple_tests import holm
from tests.fixtures.predictions import PHOTOS, answers, pair_of_models, people_and_truth, table, tables


@pytest.mark.parametrize("skills", [(0.7, 0.7), (0.7, 0.78)])
def test_interval_of_the_difference_covers_the_true_difference(skills: tuple[float, float]) -> None:
    big = pair_of_models(20_000, skills, 999)
    true = [metrics.scores(c.sum(axis=0)) for c in big]
    covered = dict.fromkeys(("macro_f1", "age.macro_f1", "accuracy"), 0)
    for seed in range(200):
        found = paired.differences(*pair_of_models(40, skills, seed), draws=250, swaps=20, seed=seed)
        for name in covered:
            low, high = found[name].low, found[name].high
            covered[name] += bool(low <= true[1][name] - true[0][name] <= high)
    assert all(0.905 <= count / 200 <= 0.99 for count in covered.values()), covered


def test_p_values_are_uniform_where_there_is_no_effect_and_small_where_there_is() -> None:
    p = {}
    for skills in ((0.7, 0.7), (0.6, 0.8)):
        column = paired.NAMES.index("macro_f1")
        p[skills] = np.array(
            [
                paired.permutation_p(*pair_of_models(40, skills, seed), swaps=99, seed=seed)[column]
                for seed in range(200)
            ]
        )
    null, real = p[0.7, 0.7], p[0.6, 0.8]
    for level in (0.05, 0.2, 0.5, 0.8):
        assert abs((null <= level).mean() - level) <= 3.5 * np.sqrt(level * (1 - level) / 200)
    assert (real < 0.05).mean() > 0.8


def test_few_people_who_differ_give_the_exact_permutation_p() -> None:
    before, after = pair_of_models(8, (0.6, 0.8), 5)
    seen = abs(float(metrics.macro_f1(after.sum(axis=0)) - metrics.macro_f1(before.sum(axis=0))))
    as_large = 0
    for swapped in itertools.product([False, True], repeat=8):
        mine = np.array(swapped)[:, None, None]
        a, b = np.where(mine, after, before).sum(axis=0), np.where(mine, before, after).sum(axis=0)
        as_large += abs(float(metrics.macro_f1(b) - metrics.macro_f1(a))) >= seen - 1e-12
    found = paired.permutation_p(before, after, swaps=50, seed=0)
    assert found[paired.NAMES.index("macro_f1")] == pytest.approx(as_large / 256)


def test_equal_answers_differ_by_exactly_nothing() -> None:
    data = align(tables(30, a=0.7) | {"b": tables(30, a=0.7)["a"]})
    result = compare(data, [("a", "b")], draws=200, swaps=200)
    (pair,) = result.pairs
    for difference in pair.differences.values():
        assert (difference.value, difference.low, difference.high, difference.p) == (0, 0, 0, 1)
    assert (pair.verdict, pair.changed, pair.needed) == ("cannot tell", 0, None)
    assert "cannot tell at 30 people: every answer is the same" in format_verdict(pair)


def test_sameness_is_shown_for_a_small_difference_and_rarely_claimed_for_one_as_large_as_the_margin() -> None:
    skills = (0.7, 0.76)
    big = [metrics.scores(c.sum(axis=0))["macro_f1"] for c in pair_of_models(20_000, skills, 999)]
    margin = float(big[1] - big[0])
    wrong, shown = 0, 0
    for seed in range(200):
        found = paired.differences(*pair_of_models(100, skills, seed), draws=250, swaps=20, seed=seed)
        wrong += paired.equivalence_p(found["macro_f1"], margin, 100) < 0.05
        shown += paired.equivalence_p(found["macro_f1"], 3 * margin, 100) < 0.05
    assert wrong <= 0.09 * 200
    assert shown >= 0.8 * 200


def test_one_person_who_differs_does_not_show_more_than_nobody() -> None:
    nobody = paired.Difference(0.0, 0.0, 0.0, 0.0, 1.0, 39.0)
    one = paired.Difference(0.003, 0.0, 0.01, 0.003, 1.0, 39.0)
    assert paired.equivalence_p(nobody, 0.02, 40) == pytest.approx(0.98**40)
    assert paired.equivalence_p(one, 0.02, 40) >= paired.equivalence_p(nobody, 0.02, 40)
    assert paired.equivalence_p(one, 0.002, 40) == 1.0


def test_same_is_a_verdict_where_a_margin_is_given() -> None:
    data = align(tables(400, base=0.7, like=0.702, good=0.9) | {"equal": tables(400, base=0.7)["base"]})
    pairs = [("base", v) for v in ("like", "good", "equal")]
    result = compare(data, pairs, draws=300, swaps=300, same_within=0.1)
    assert [pair.verdict for pair in result.pairs] == ["same", "better", "same"]
    assert "like: same within 0.1 at 400 people: macro-F1" in format_verdict(result.pairs[0])
    assert "every answer is the same" in format_verdict(result.pairs[2])
    few = compare(align(tables(20, a=0.7) | {"b": tables(20, a=0.7)["a"]}), [("a", "b")], same_within=0.1)
    assert few.pairs[0].verdict == "cannot tell"  # twenty people of whom nobody differs say little of others


def test_a_planted_gain_and_a_planted_loss_are_found_and_a_tie_is_not() -> None:
    data = align(tables(150, base=0.6, good=0.8, bad=0.4, like=0.6))
    result = compare(data, [("base", v) for v in ("good", "bad", "like")], draws=500, swaps=1000)
    assert [pair.verdict for pair in result.pairs] == ["better", "worse", "cannot tell"]
    good = result.pairs[0].differences["macro_f1"]
    own = [result.scores[n]["macro_f1"]["value"] for n in ("good", "base")]
    assert good.value == pytest.approx(own[0] - own[1])
    assert good.low > 0
    assert "good: better at 150 people: macro-F1 +0." in format_verdict(result.pairs[0])
    tie = format_verdict(result.pairs[2])
    assert "people would show it" in tie or "far below" in tie


def test_pairing_sees_what_two_separate_intervals_do_not() -> None:
    """A variant that mends two photos of a hundred, of everyone else's nothing."""
    person, truth = people_and_truth(200, PHOTOS, 3)
    first = answers(truth, PHOTOS, 0.6, 1, 3)
    mended = np.random.default_rng(0).random(len(truth)) < 0.05
    data = align(
        {"a": table(person, truth, first), "b": table(person, truth, np.where(mended, truth, first))}
    )
    result = compare(data, [("a", "b")], draws=500, swaps=1000)
    a, b = (result.scores[n]["macro_f1"] for n in "ab")
    assert a["high"] > b["low"]  # the intervals overlap
    assert result.pairs[0].verdict == "better"


def test_people_needed_is_about_where_four_of_five_studies_show_it() -> None:
    skills = (0.7, 0.76)
    found = paired.differences(*pair_of_models(3000, skills, 77), draws=300, swaps=100, seed=0)["macro_f1"]
    needed = paired.people_needed(found, 3000)
    assert needed is not None
    column = paired.NAMES.index("macro_f1")
    shown = [
        paired.permutation_p(*pair_of_models(needed, skills, 500 + s), swaps=199, seed=s)[column] < 0.05
        for s in range(60)
    ]
    assert 0.65 <= np.mean(shown) <= 0.95, needed


def test_one_lucky_variant_of_many_is_no_discovery() -> None:
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])  # by hand: ×4, then ×3, ×2, ×1, never falling
    assert holm(np.array([0.6, 0.9])).max() == 1.0
    assert len(holm(np.array([]))) == 0


def test_one_person_shows_nothing() -> None:
    data = align(tables(1, a=0.1, b=0.99))
    (pair,) = compare(data, [("a", "b")], draws=100, swaps=100).pairs
    assert pair.verdict == "cannot tell"
    assert (pair.differences["macro_f1"].low, pair.differences["macro_f1"].high) == (-1, 1)


def test_people_needed_are_those_of_as_many_comparisons() -> None:
    """150 people show the gain alone, and not as one of ten; then 150 cannot be enough."""
    others = {f"like{i}": 0.6 for i in range(9)}
    data = align(tables(150, base=0.6, good=0.68, **others))
    (alone,) = compare(data, [("base", "good")], draws=300, swaps=500).pairs
    one, *rest = compare(data, [("base", v) for v in ("good", *others)], draws=300, swaps=500).pairs
    assert (alone.verdict, one.verdict) == ("better", "cannot tell")
    assert alone.needed is not None
    assert one.needed is not None
    assert one.needed > 150
    assert one.needed > alone.needed
    assert one.smallest > alone.smallest
    assert "people would show it among so many comparisons" in format_verdict(one)
    assert min(pair.alpha for pair in rest) > one.alpha
