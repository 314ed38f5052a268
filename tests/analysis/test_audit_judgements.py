"""What the audit computes, by hand: faces, swaps, pooling, error rates, duplicates, rankings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cleanlab.count import estimate_joint
from sklearn.metrics import average_precision_score

from benchmarks.audit_planted import rank_planted
from pipeline.analysis.audit.descriptors import difference_hash
from pipeline.analysis.audit.duplicates import near_duplicates
from pipeline.analysis.audit.error_rate import error_rate
from pipeline.analysis.audit.face import LANDMARK_POSITIONS, face_matrix
from pipeline.analysis.audit.out_of_fold import pooled, sharpened
from pipeline.analysis.audit.rules import mislabelled_pairs, same_ids, same_people
from pipeline.analysis.audit.suspects import Suspect, ranked
from pipeline.faces.alignment import cut_face
from pipeline.io.photo import decode_photo, encode_jpeg


def test_face_is_turned_upright_by_its_landmarks() -> None:
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # a quarter
    points = (LANDMARK_POSITIONS - 0.5) @ turn.T * 50 + [100, 120]
    matrix = face_matrix((0, 0, 1, 1), points.ravel(), (20, 10, 220, 210), 0.5, 160)
    composed = (points - [20, 10]) * 0.5
    np.testing.assert_allclose(composed @ matrix[:, :2].T + matrix[:, 2], LANDMARK_POSITIONS * 160, atol=1e-6)
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[20:40, 30:50] = 200
    cut = cut_face(picture, face_matrix((60, 40, 100, 80), (), (0, 0, 200, 200), 0.5, 40), 40)
    assert cut[2:-2, 2:-2].min() == 200


def test_a_swap_is_told_from_a_single_doubt() -> None:
    sure = {0: (0.98, 0.01, 0.01), 1: (0.01, 0.95, 0.04), 2: (0.01, 0.04, 0.95)}
    codes = np.array([0, 1, 2] * 3)
    looks = [0, 2, 1, 0, 2, 2, 0, 1, 2]  # person 0 is swapped, person 1 has one photo in doubt
    found = mislabelled_pairs(np.array([sure[k] for k in looks]), codes, np.repeat([0, 1, 2], 3), 0.5)
    assert [(s.first, s.second) for s in found] == [(1, 2)]
    assert found[0].confidence > 0.8


def test_pooling_follows_the_photos_and_sharpening_the_labels() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 200)
    who = np.repeat(np.arange(200), 7)
    logit = (2 * truth[who] - 1) * 0.3 + random.normal(size=1400)
    p = 1 / (1 + np.exp(-np.column_stack([-logit, logit])))
    people = pooled(p, who, 200)
    sharp = sharpened(people, truth)
    np.testing.assert_allclose(sharp.sum(axis=1), 1)
    assert (np.argsort(people[:, 1]) == np.argsort(sharp[:, 1])).all()
    assert (people.argmax(axis=1) == truth).mean() > 0.7

    def loss(q: np.ndarray) -> float:
        return float(-np.log(q[np.arange(200), truth]).mean())

    assert loss(sharp) < loss(people) - 0.01


def test_error_rate_is_cleanlabs_and_its_interval_holds_the_planted_share() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, 600)
    said = np.where(random.random(600) < 0.08, (truth + 1) % 3, truth)
    logits = 4 * np.eye(3)[truth] + random.normal(size=(600, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = error_rate(p, said, np.arange(600), 200, 0)
    expected = 1 - np.trace(estimate_joint(said, p))
    assert found["value"] == pytest.approx(expected, abs=1e-3)
    assert found["low"] < (said != truth).mean() < found["high"]
    together = error_rate(np.repeat(p, 5, axis=0), np.repeat(said, 5), np.repeat(np.arange(600), 5), 200, 0)
    assert together["high"] - together["low"] > 0.8 * (found["high"] - found["low"])


def test_a_photo_saved_again_is_a_duplicate_and_another_is_not() -> None:
    random = np.random.default_rng(2)
    pictures = [
        np.kron(random.integers(0, 255, (8, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8) for _ in range(4)
    ]
    pictures.append(decode_photo(encode_jpeg(pictures[1] // 10 * 9)))
    hashes = np.stack([difference_hash(p) for p in pictures])
    features = np.stack([p[::8, ::8].astype(float)[:15, :15].ravel() for p in pictures])
    found = near_duplicates(hashes, features, ["a", "b", "c", "d", "e"], 60, 0.5)
    assert [(t.first, t.second) for t in found] == [(1, 4)]
    assert near_duplicates(hashes, features, ["a", "b", "c", "d", "b"], 60, 0.5) == []
    photos = pd.DataFrame({"person": list("abcde"), "gender": "male", "age": [20, 20, 30, 30, 21]})
    (suspect,) = same_people(found, photos)
    assert (suspect.person, suspect.field, suspect.old, suspect.proposed) == ("e", "age", "21", "20")


def test_one_id_twice_is_a_suspicion_only_where_the_two_look_alike() -> None:
    random = np.random.default_rng(3)
    names = [f"{i:06d}_male_Asian_30" for i in range(40)] + [
        "000007-1_female_Asian_30",
        "000009_male_Asian_31",
    ]
    photos = pd.DataFrame({"person": names, "gender": "male", "age": 30})
    features = random.normal(size=(42, 8))
    features[40] = features[7] + 0.01  # the same face; 000009 is another
    features[41] = -features[9]
    (suspect,) = same_ids(photos, features)
    assert suspect.person == "000007_male_Asian_30"
    assert "000007-1_female_Asian_30" in suspect.why


def test_ranking_says_each_label_once_the_surest_first() -> None:
    rows = [
        Suspect("b", "", "age", "20", "30-59", 0.6, "model"),
        Suspect("a", "", "gender", "male", "female", 0.7, "model"),
        Suspect("b", "", "age", "20", "21", 0.9, "table"),
    ]
    table = ranked(rows)
    assert table[["rank", "person", "why"]].to_numpy().tolist() == [[1, "b", "table"], [2, "a", "model"]]


def test_judged_is_average_precision() -> None:
    random = np.random.default_rng(4)
    names = [str(i) for i in range(100)]
    errors = set(random.choice(names, 10, replace=False).tolist())
    found = rank_planted(names, errors, 100)
    scores = -np.arange(100.0)
    expected = average_precision_score([n in errors for n in names], scores)
    assert found.average_precision == pytest.approx(expected)
    places = sorted(int(n) + 1 for n in errors)
    assert found.rows_to_90 == places[8]
    assert found.recall_first == sum(p <= 5 for p in places) / 10
    assert rank_planted(names[: places[2]], errors, 100).rows_to_90 is None
