"""Macro-F1, accuracy and confusion against sklearn and by hand."""

import numpy as np
import pytest
from sklearn import metrics as sk

from pipeline import labels
from pipeline.evaluate import metrics
from pipeline.labels import TASKS


def draw(photos: int, seed: int, classes: int = 18) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, photos)
    predicted = np.where(random.random(photos) < 0.6, truth, random.integers(0, classes, photos))
    return truth, predicted


def sklearn_macro(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(sk.f1_score(truth, predicted, average="macro", zero_division=0))


@pytest.mark.parametrize("photos", [1, 7, 40, 500])
def test_every_score_equals_sklearn(photos: int) -> None:
    truth, predicted = draw(photos, photos)
    found = metrics.scores(metrics.confusion(truth, predicted))
    codes = {
        "": (truth, predicted),
        "mask.": (labels.mask_of(truth), labels.mask_of(predicted)),
        "gender.": (labels.gender_of(truth), labels.gender_of(predicted)),
        "age.": (labels.age_group_of(truth), labels.age_group_of(predicted)),
    }
    for prefix, (t, p) in codes.items():
        assert found[f"{prefix}macro_f1"] == pytest.approx(sklearn_macro(t, p), abs=1e-12)
        assert found[f"{prefix}accuracy"] == pytest.approx(sk.accuracy_score(t, p), abs=1e-12)


def test_class_that_occurs_nowhere_is_left_out_and_one_wrongly_predicted_counts_as_zero() -> None:
    assert metrics.macro_f1(metrics.confusion(np.array([0, 0, 4]), np.array([0, 0, 4]))) == 1.0
    # truth 0 0 4, predicted 0 0 9: F1 is 1 for 0, 0 for 4 and 0 for 9
    assert metrics.macro_f1(metrics.confusion(np.array([0, 0, 4]), np.array([0, 0, 9]))) == pytest.approx(
        1 / 3
    )


def test_hand_computed_macro_f1() -> None:
    # class 0: TP 2, FN 1, FP 0 -> 2*2/(2*2+1) = 0.8; class 1: TP 1, FP 1, FN 0 -> 2/3
    found = metrics.macro_f1(metrics.confusion(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 2))
    assert found == pytest.approx((0.8 + 2 / 3) / 2)


def test_confusion_rows_are_the_truth() -> None:
    matrix = metrics.confusion(np.array([2, 2, 0]), np.array([1, 2, 0]), 3)
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert matrix.tolist() == sk.confusion_matrix([2, 2, 0], [1, 2, 0], labels=range(3)).tolist()


def test_confusions_of_people_add_up_to_the_whole() -> None:
    truth, predicted = draw(90, 3)
    person = np.array([f"p{i % 11:02d}" for i in range(90)])
    by_person = metrics.confusion_by_person(truth, predicted, person)
    assert by_person.shape == (11, 18, 18)
    assert (by_person.sum(axis=0) == metrics.confusion(truth, predicted)).all()
    mine = person == "p03"
    assert (by_person[3] == metrics.confusion(truth[mine], predicted[mine])).all()


def test_task_confusion_counts_the_task_alone() -> None:
    truth, predicted = draw(200, 5)
    for task in TASKS.values():
        found = metrics.task_confusion(metrics.confusion(truth, predicted), task)
        expected = metrics.confusion(task.code_of(truth), task.code_of(predicted), task.size)
        assert (found == expected).all()


def test_no_photos_have_no_score() -> None:
    assert np.isnan(metrics.macro_f1(np.zeros((18, 18), int)))
