"""The background probe: right about ties, silent where there are none, also with few people."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.analysis.explore.probe import (
    Labels,
    OutOfFoldRidge,
    Resampling,
    balanced_accuracy,
    permuted,
    run_probe,
    verdict,
    with_verdicts,
)
from pipeline.evaluate.bootstrap import interval, resample_counts, resampled

SETS, PHOTOS = 40, 7
RESAMPLING = Resampling(resamples=200, permutations=199, seed=0)


def rooms(seed: int, people: int, tie: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of photos, each person at home in one of ten rooms; codes; who. `tie`: 0 free, 1 tied."""
    random = np.random.default_rng([seed, people])
    codes = random.integers(0, 2, people)
    room = np.where(
        random.random(people) < tie, codes * 5 + random.integers(0, 5, people), random.integers(0, 10, people)
    )
    look = random.normal(size=(10, 12))
    who = np.repeat(np.arange(people), PHOTOS)
    features = look[room[who]] + 0.3 * random.normal(size=(len(who), 12))
    return features, codes[who], who


def predict(features: np.ndarray, codes: np.ndarray, who: np.ndarray, of_people: bool = True) -> dict:
    folds = who % 5
    labels = Labels(codes, int(codes.max()) + 1, of_people)
    return with_verdicts(
        {"x": run_probe(OutOfFoldRidge(features, folds, 10), labels, who, folds, RESAMPLING)}
    )["x"]


def test_alarms_without_a_tie_are_as_rare_as_promised_on_32_people() -> None:
    """One home per person: by chance some rooms go with a label."""
    alarms = sum(predict(*rooms(seed, 32, tie=0))["significant"] for seed in range(SETS))
    assert alarms <= 5  # 2 expected; 6 or more: 1.4 % of the time


def test_a_tie_is_found_on_32_people() -> None:
    told = [predict(*rooms(seed, 32, tie=0.95))["significant"] for seed in range(10)]
    assert sum(told) >= 8


def test_photos_own_labels_are_shuffled_within_people() -> None:
    """All people have the same masks in the same order: between people there is nothing to shuffle."""
    random = np.random.default_rng(3)
    who = np.repeat(np.arange(32), 4)
    codes = np.tile([0, 0, 1, 2], 32)
    noise = random.normal(size=(128, 8))
    assert not predict(noise, codes, who, of_people=False)["significant"]
    found = predict(noise + 2 * np.eye(8)[codes], codes, who, of_people=False)
    assert found["significant"]
    assert found["p_value"] == pytest.approx(1 / 200)
    labels = Labels(codes, 3, of_people=False)
    dealt = permuted(labels, who, who % 5, random)
    assert (dealt != codes).any()
    assert (np.sort(dealt.reshape(32, 4)) == [0, 0, 1, 2]).all()


def test_peoples_labels_stay_together_and_in_their_fold() -> None:
    random = np.random.default_rng(4)
    who = np.repeat(np.arange(40), 3)
    codes = random.integers(0, 3, 40)[who]
    folds = who % 4
    dealt = permuted(Labels(codes, 3, of_people=True), who, folds, random)
    assert (dealt != codes).any()
    assert all(len(set(dealt[who == w])) == 1 for w in range(40))
    for fold in range(4):
        assert sorted(dealt[folds == fold]) == sorted(codes[folds == fold])


def test_ridge_answers_as_the_normal_equations_do_and_never_for_people_it_learnt() -> None:
    random = np.random.default_rng(5)
    features, folds = random.normal(size=(60, 4)), np.arange(60) % 3
    codes = random.integers(0, 3, (2, 60))
    answers = OutOfFoldRidge(features, folds, 2).predict(codes, 3)
    for b in range(2):
        for fold in range(3):
            held = folds == fold
            x, y = features[~held], np.eye(3)[codes[b, ~held]]
            middle, often = x.mean(axis=0), y.mean(axis=0)
            w = np.linalg.solve((x - middle).T @ (x - middle) + 2 * np.eye(4), (x - middle).T @ y)
            expected = (((features[held] - middle) @ w + often) / often).argmax(axis=1)
            assert (answers[b, held] == expected).all()


def test_words_say_cannot_tell_where_luck_does_as_well() -> None:
    probe = {"balanced_accuracy": {"value": 0.67, "low": 0.56, "high": 0.78}, "permuted_q95": 0.69}
    assert verdict("gender", {**probe, "p_corrected": 0.21, "significant": False}).startswith(
        "cannot tell whether"
    )
    assert verdict("gender", {**probe, "p_corrected": 0.01, "significant": True}).startswith(
        "the background alone tells"
    )
    three = with_verdicts({name: {"p_value": p} for name, p in (("a", 0.02), ("b", 0.03), ("c", 0.5))})
    assert [p["significant"] for p in three.values()] == [
        False,
        False,
        False,
    ]  # each alone would pass but for Holm


def test_the_interval_is_a_bootstrap_over_people() -> None:
    features, codes, who = rooms(1, 40, tie=0.8)
    found = predict(features, codes, who)["balanced_accuracy"]
    predicted = OutOfFoldRidge(features, who % 5, 10).predict(codes[None], 2)[0]
    by_person = np.zeros((40, 2, 2), np.int64)
    np.add.at(by_person, (who, codes, predicted), 1)
    drawn = balanced_accuracy(
        resampled(by_person, resample_counts(40, RESAMPLING.resamples, RESAMPLING.seed))
    )
    assert (found["low"], found["high"]) == pytest.approx(interval(drawn))
