"""`cleanplate score`: the expected score of a new submission, checked against simulated ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cleanplate.comparison import agreement
from pipeline.evaluate import metrics
from tests.cleanplate.test_vote import submission
from tests.fixtures.experiments import cleanplate
from tests.fixtures.predictions import people_and_truth, table


def two_models(seed: int, photos: int = 1500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth and the answers of two models of unlike skill; hard photos are hard for both."""
    random = np.random.default_rng(seed)
    truth = random.choice(18, photos, p=np.tile([0.45, 0.4, 0.15], 6) * np.repeat([0.7, 0.15, 0.15], 6) / 2)
    common = random.uniform(0.3, 0.9)
    hard = random.normal(size=photos)
    usual = truth // 3 * 3 + (truth + np.where(hard > 0, 1, 2)) % 3
    answers = []
    for skill in (random.uniform(0.6, 0.85), random.uniform(0.55, 0.85)):
        trouble = np.sqrt(common) * hard + np.sqrt(1 - common) * random.normal(size=photos)
        other = truth // 3 * 3 + (truth + random.integers(1, 3, photos)) % 3
        wrong = np.where(random.random(photos) < common, usual, other)
        answers.append(np.where(trouble < np.quantile(trouble, skill), truth, wrong))
    return truth, answers[0], answers[1]


def scores(truth: np.ndarray, answers: np.ndarray) -> tuple[float, float]:
    return float((truth == answers).mean()), float(metrics.macro_f1(metrics.confusion(truth, answers)))


def test_interval_holds_the_true_score_of_simulated_models() -> None:
    held = np.zeros(2)
    errors = []
    for seed in range(50):
        truth, known, new = two_models(seed)
        found = agreement.forecast(known, new, *scores(truth, known), draws=100, seed=seed)
        for k, (name, true) in enumerate(zip(("accuracy", "macro_f1"), scores(truth, new), strict=True)):
            held[k] += found[name].low <= true <= found[name].high
            errors.append(abs(found[name].value - true))
    assert (held / 50 >= 0.85).all(), held
    assert np.mean(errors) < 0.08


def test_interval_is_right_when_its_assumptions_are() -> None:
    """Shares drawn flat under the two constraints, by rejection: the interval covers as often as it says."""
    random = np.random.default_rng(0)
    accuracy, agreed = 0.7, 0.8
    found = agreement.sample_shares(accuracy, agreed, (0, 0, 0), 40_000, random)
    low, high = np.quantile(found.v - found.u, [0.025, 0.975])
    u, v, _ = random.dirichlet(np.ones(3), 200_000).T
    r = (accuracy - 0.2 * u) / agreed
    allowed = (r <= 1) & (u <= r) & (v <= r)
    held = np.mean((low <= (v - u)[allowed]) & ((v - u)[allowed] <= high))
    assert held == pytest.approx(0.95, abs=0.01)


def test_evidence_from_labelled_people_narrows_it_to_the_truth() -> None:
    gains, blind_widths, widths = [], [], []
    for seed in range(40):
        truth, known, new = two_models(seed)
        public, private = slice(0, 700), slice(700, None)
        evidence = agreement.disagreements(
            truth[public], known[public], new[public], np.arange(700).astype(str)
        )
        a, b, t = known[private], new[private], truth[private]
        blind = agreement.forecast(a, b, scores(t, a)[0], seed=seed)["accuracy"]
        found = agreement.forecast(a, b, scores(t, a)[0], evidence=evidence, seed=seed)["accuracy"]
        gains.append(abs(blind.value - scores(t, b)[0]) - abs(found.value - scores(t, b)[0]))
        blind_widths.append(blind.high - blind.low)
        widths.append(found.high - found.low)
    assert np.mean(widths) < 0.4 * np.mean(blind_widths)
    assert np.mean(gains) > 0.02


def test_the_same_answers_score_the_same() -> None:
    truth, known, _ = two_models(1)
    accuracy, macro = scores(truth, known)
    found = agreement.forecast(known, known, accuracy, macro, draws=100)
    assert (found["accuracy"].value, found["accuracy"].low, found["accuracy"].high) == pytest.approx(
        (accuracy, accuracy, accuracy)
    )
    assert found["macro_f1"].value == pytest.approx(macro)


def test_one_that_agrees_on_nothing_can_only_be_right_where_the_known_one_is_wrong() -> None:
    known = np.arange(1000) % 18
    found = agreement.forecast(known, (known + 1) % 18, 0.8)["accuracy"]
    assert 0 <= found.low <= found.high <= 0.2 + 1e-9


def test_photos_of_one_person_are_one_piece_of_evidence() -> None:
    truth = np.array([0, 0, 0, 0, 1])
    known = np.array([0, 0, 0, 1, 1])
    new = np.array([1, 1, 1, 0, 1])
    person = np.array(["x", "x", "x", "x", "y"])
    assert agreement.disagreements(truth, known, new, person) == pytest.approx((0.75, 0.25, 0.0))


def test_command_says_agreement_expectation_and_interval(project: Path) -> None:
    truth, known, new = two_models(3, 600)
    ids = [f"{i:04d}.jpg" for i in range(600)]
    submission(project / "known.csv", ids, known.tolist())
    submission(project / "new.csv", ids[::-1], new.tolist()[::-1])
    accuracy, macro = scores(truth, known)
    options = ["--accuracy", str(accuracy), "--macro-f1", str(macro)]
    done = cleanplate(project, "score", "known.csv", "new.csv", *options, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["agreement"] == pytest.approx((known == new).mean())
    for name, true in zip(("accuracy", "macro_f1"), scores(truth, new), strict=True):
        assert told[name]["low"] <= true <= told[name]["high"]
    assert cleanplate(project, "score", "known.csv", "new.csv", *options, "--json").stdout == done.stdout
    only = cleanplate(project, "score", "known.csv", "new.csv", "--macro-f1", str(macro))
    assert "expected macro-F1: 0." in only.stdout
    assert "the mean is a guess" in only.stdout

    person, t = people_and_truth(50, 7, 0)
    for name, answered in (
        ("a.parquet", t),
        ("b.parquet", np.where(np.arange(350) % 3 == 0, (t + 1) % 18, t)),
    ):
        table(person, t, answered).to_parquet(project / name)
    informed = cleanplate(
        project, "score", "known.csv", "new.csv", *options, "--validation", "a.parquet", "b.parquet"
    )
    assert "a.parquet right 50.0, b.parquet right 0.0, neither 0.0" in informed.stdout


def test_expected_score_by_hand_where_the_known_one_is_always_right(project: Path) -> None:
    known = [0, 0, 0, 1, 1, 1, 4, 4]
    new = [0, 0, 1, 1, 1, 4, 4, 4]
    ids = [f"{i}.jpg" for i in range(8)]
    submission(project / "known.csv", ids, known)
    submission(project / "new.csv", ids[::-1], new[::-1])
    options = ("--accuracy", "1", "--macro-f1", "1", "--json")
    done = cleanplate(project, "score", "known.csv", "new.csv", *options)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["agreement"] == 6 / 8
    # what the known one says is the truth: 6 of 8 right, F1 of 0: 4/5, of 1: 2/3, of 4: 4/5
    by_hand = {"accuracy": 6 / 8, "macro_f1": (4 / 5 + 2 / 3 + 4 / 5) / 3}
    for name, value in by_hand.items():
        assert told[name] == pytest.approx({"value": value, "low": value, "high": value}, abs=0.01)


def test_expected_score_by_hand_from_what_labelled_people_say(project: Path) -> None:
    count = 4000
    known = np.arange(count) % 18
    new = np.where(np.arange(count) % 5 == 0, (known + 1) % 18, known)  # they differ on a fifth
    ids = [f"{i:04d}.jpg" for i in range(count)]
    submission(project / "known.csv", ids, known.tolist())
    submission(project / "new.csv", ids, new.tolist())
    # 2000 labelled people on whom they differ: the known one right of 20 %, the new one of 60 %
    person, truth = np.array([f"p{i}" for i in range(2000)]), np.arange(2000) % 18
    wrong, other = (truth + 1) % 18, (truth + 2) % 18
    fifth = np.arange(2000) % 5
    table(person, truth, np.where(fifth == 0, truth, wrong)).to_parquet(project / "a.parquet")
    table(person, truth, np.where(fifth >= 2, truth, other)).to_parquet(project / "b.parquet")
    options = ("--accuracy", "0.7", "--validation", "a.parquet", "b.parquet", "--json")
    done = cleanplate(project, "score", "known.csv", "new.csv", *options)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)["accuracy"]
    assert told["value"] == pytest.approx(0.7 + 0.2 * (0.6 - 0.2), abs=0.005)
    assert told["high"] - told["low"] < 0.03


def test_a_known_score_is_needed(project: Path) -> None:
    for name in ("a.csv", "b.csv"):
        submission(project / name, ["x.jpg"], [1])
    done = cleanplate(project, "score", "a.csv", "b.csv")
    assert done.exit_code == 1
    assert "--accuracy, --macro-f1, or both" in done.stderr
