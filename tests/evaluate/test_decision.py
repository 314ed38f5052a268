"""Answers from probabilities: those with the largest expected macro-F1 are found, and help."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.evaluate.decision import decide, expected_macro_f1
from pipeline.evaluate.metrics import confusion, scores


def probabilities(photos: int, classes: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.6), photos)


@pytest.mark.parametrize("seed", range(20))
def test_no_other_answers_are_expected_to_score_much_more(seed: int) -> None:
    """All 3⁶ answers to six photos: the ascent ends within .03 of the best of them, and mostly there."""
    p = probabilities(6, 3, seed)
    best = max(expected_macro_f1(p, np.array(a)) for a in itertools.product(range(3), repeat=6))
    assert expected_macro_f1(p, decide(p, "macro_f1")) > best - 0.03
    assert expected_macro_f1(p, decide(p, "macro_f1")) >= expected_macro_f1(p, decide(p, "likeliest"))
    order = np.random.default_rng(seed).permutation(6)
    assert (decide(p[order], "macro_f1") == decide(p, "macro_f1")[order]).all()


def test_a_rare_class_is_answered_where_it_is_never_the_likeliest() -> None:
    p = np.full((100, 2), (0.8, 0.2))
    p[:10] = (0.55, 0.45)
    assert decide(p, "likeliest").tolist() == [0] * 100
    answers = decide(p, "macro_f1")
    assert answers[:10].tolist() == [1] * 10


def test_it_raises_the_macro_f1_of_calibrated_probabilities() -> None:
    random = np.random.default_rng(1)
    prior = np.array([0.3, 0.2, 0.03, 0.3, 0.14, 0.03])
    logits = np.log(prior) + random.normal(0, 1.2, (6000, 6))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) > random.random((6000, 1))).argmax(axis=1)

    def macro_f1(answers: np.ndarray) -> float:
        return scores(confusion(truth, answers))["macro_f1"]

    assert macro_f1(decide(p, "macro_f1")) > macro_f1(decide(p, "likeliest")) + 0.01


def test_certain_probabilities_and_no_photos() -> None:
    p = np.eye(18)[[3, 3, 17]]
    assert decide(p, "macro_f1").tolist() == [3, 3, 17]
    assert decide(np.zeros((0, 18)), "macro_f1").tolist() == []
