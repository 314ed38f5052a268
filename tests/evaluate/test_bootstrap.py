"""The bootstrap over people: what its intervals are, and that they cover."""

import numpy as np
import pytest

from pipeline.evaluate import bootstrap, metrics


def people_with_skill(people: int, seed: int, photos: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and person of each photo; a person is mostly all right or all wrong."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 18, people * photos)
    skill = np.repeat(random.choice([0.1, 0.95], size=people, p=[0.3, 0.7]), photos)
    predicted = np.where(random.random(people * photos) < skill, truth, (truth + 1) % 18)
    return truth, predicted, np.repeat([f"p{i:04d}" for i in range(people)], photos)


def test_equals_resampling_photos_of_drawn_people_one_by_one() -> None:
    truth, predicted, person = people_with_skill(12, 0)
    by_person = metrics.confusion_by_person(truth, predicted, person)
    counts = bootstrap.resample_counts(12, 25, 4)
    names = np.unique(person)
    expected = []
    for row in counts:
        rows = np.concatenate(
            [np.flatnonzero(person == n) for n, times in zip(names, row, strict=True) for _ in range(times)]
        )
        expected.append(metrics.macro_f1(metrics.confusion(truth[rows], predicted[rows])))
    found = metrics.macro_f1(bootstrap.resampled(by_person, counts))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_every_draw_takes_as_many_people_as_there_are_and_repeats_with_its_seed() -> None:
    counts = bootstrap.resample_counts(50, 200, 7)
    assert (counts.sum(axis=1) == 50).all()
    assert (counts == bootstrap.resample_counts(50, 200, 7)).all()
    assert (counts != bootstrap.resample_counts(50, 200, 8)).any()


def test_interval_holds_the_value_and_is_wider_than_over_photos() -> None:
    truth, predicted, person = people_with_skill(60, 1)
    over_people = bootstrap.score_intervals(metrics.confusion_by_person(truth, predicted, person), 500, 0)
    photo = np.array([f"{i:05d}" for i in range(len(truth))])
    over_photos = bootstrap.score_intervals(metrics.confusion_by_person(truth, predicted, photo), 500, 0)
    for name, score in over_people.items():
        assert score["low"] <= score["value"] <= score["high"], name
    width = over_people["accuracy"]["high"] - over_people["accuracy"]["low"]
    assert width > 1.5 * (over_photos["accuracy"]["high"] - over_photos["accuracy"]["low"])


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    expected = 0.3 * 0.1 + 0.7 * 0.95
    covered = 0
    for seed in range(120):
        truth, predicted, person = people_with_skill(60, 1000 + seed)
        found = bootstrap.score_intervals(metrics.confusion_by_person(truth, predicted, person), 300, seed)
        covered += found["accuracy"]["low"] <= expected <= found["accuracy"]["high"]
    assert 0.87 <= covered / 120 <= 1.0


def test_percentiles_are_widened_for_few_people_by_hand() -> None:
    draws = np.linspace(0, 1, 100_001)
    # t quantile of 4 degrees of freedom 2.776, times sqrt(5 / 4) = 3.104; 0.00096 of a normal lie below
    assert bootstrap.expanded_interval(draws, 5) == pytest.approx((0.00096, 0.99904), abs=1e-5)
    assert bootstrap.expanded_interval(draws, 100_000) == pytest.approx((0.025, 0.975), abs=1e-4)


def test_interval_of_few_people_is_wider_than_the_plain_percentiles() -> None:
    truth, predicted, person = people_with_skill(15, 3)
    by_person = metrics.confusion_by_person(truth, predicted, person)
    found = bootstrap.score_intervals(by_person, 2000, 0)["accuracy"]
    draws = metrics.scores(bootstrap.resampled(by_person, bootstrap.resample_counts(15, 2000, 0)))["accuracy"]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert found["low"] < low
    assert found["high"] > high


def test_of_one_person_nothing_follows() -> None:
    truth, predicted, person = people_with_skill(1, 2)
    found = bootstrap.score_intervals(metrics.confusion_by_person(truth, predicted, person), 100, 0)
    assert (found["accuracy"]["low"], found["accuracy"]["high"]) == (0.0, 1.0)


def test_nested_is_the_shape_of_the_metrics_file() -> None:
    assert bootstrap.nested({"macro_f1": 1, "age.macro_f1": 2, "age.accuracy": 3}) == {
        "macro_f1": 1,
        "age": {"macro_f1": 2, "accuracy": 3},
    }
