"""Which photos, people and labels `cleanplate compare` compares on, and whose answers flip."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.comparison.alignment import align, align_pairs, flipped_people, labels_differ
from cleanplate.comparison.verdict import compare
from cleanplate.comparison.wording import format_verdict
from pipeline.runtime.errors import UserError
from tests.fixtures.predictions import PHOTOS, table, tables


def test_comparison_is_on_common_photos_and_says_what_was_left_out() -> None:
    both = tables(20, a=0.7, b=0.7)
    fewer = both["b"][both["b"]["person"] != "p0003"]
    data = align({"a": both["a"], "b": fewer})
    assert (data.people, len(data.image)) == (19, 19 * PHOTOS)
    assert data.left_out == [
        "a answered about 7 more photos (1 more people), which the scores leave out: "
        "they are of the photos that all have in common"
    ]


def test_a_pair_is_judged_on_all_people_that_its_two_sides_share() -> None:
    """Two runs that were validated on every fold, beside one that was validated on one of five."""
    of = tables(100, a=0.6, b=0.75, few=0.6)
    of["few"] = of["few"][of["few"]["person"] < "p0020"]
    pairs = [("a", "b"), ("a", "few")]
    data = align(of)
    own = align_pairs(of, pairs, data)
    result = compare(data, pairs, draws=200, swaps=200, own=own)
    alone = compare(align({"a": of["a"], "b": of["b"]}), pairs[:1], draws=200, swaps=200)
    assert [pair.people for pair in result.pairs] == [100, 20]
    assert result.pairs[0].differences["macro_f1"] == alone.pairs[0].differences["macro_f1"]
    assert "b: better at 100 people" in format_verdict(result.pairs[0])
    assert result.people == 20  # scores stay comparable
    assert "few: cannot tell at 20 people" in format_verdict(result.pairs[1])


def test_a_pair_with_other_labels_than_the_first_table_stays_with_the_common_photos() -> None:
    """All are scored by the first table's labels, and it has answered about a fifth of the people."""
    of = tables(40, first=0.6, a=0.6, b=0.7)
    for name in "ab":
        of[name].loc[of[name]["person"] == "p0001", "true_class"] = 17
    of["first"] = of["first"][of["first"]["person"] < "p0008"]
    data = align(of)
    assert align_pairs(of, [("a", "b")], data) == {}
    labels = of["a"][["image", "true_class"]]
    given = align_pairs(of, [("a", "b")], align(of, labels, "the workspace"), labels, "the workspace")
    assert given["a", "b"].people == 40


def test_nothing_in_common_is_refused() -> None:
    both = tables(20, a=0.7, b=0.7)
    half = both["a"]["person"] < "p0010"
    with pytest.raises(UserError, match=r"no validated photo in common(.|\n)*70 photos of 10 people"):
        align({"a": both["a"][half], "b": both["b"][~half]})


def test_both_are_scored_by_one_set_of_labels() -> None:
    both = tables(20, a=1.0, b=1.0)
    corrected = both["b"].copy()
    mine = corrected["person"] == "p0004"
    corrected.loc[mine, "true_class"] = (corrected.loc[mine, "true_class"] + 3) % 6
    assert labels_differ({"a": both["a"], "b": corrected})
    assert not labels_differ(both)
    by_first = align({"a": both["a"], "b": corrected})
    assert (by_first.truth == both["a"].sort_values("image")["true_class"].to_numpy()).all()
    assert by_first.relabelled == ["b had other true labels for 7 photos; it is scored by those of a"]
    given = align({"a": both["a"], "b": corrected}, corrected[["image", "true_class"]], "the workspace")
    assert (given.truth == corrected.sort_values("image")["true_class"].to_numpy()).all()
    assert given.relabelled == [
        "a had other true labels for 7 photos; it is scored by those of the workspace"
    ]


def test_photo_that_a_correction_dropped_is_left_out() -> None:
    both = tables(10, a=0.7, b=0.7)
    labels = both["a"][["image", "true_class"]].iloc[3:]
    data = align(both, labels, "the workspace")
    assert len(data.image) == 67
    assert data.relabelled == ["3 photos are not in the labels of the workspace and are left out"]


def test_flips_count_what_was_mended_and_broken() -> None:
    person = np.array(["x", "x", "x", "y", "y", "z"])
    truth = np.array([0, 1, 2, 3, 4, 5])
    before = np.array([0, 9, 9, 3, 4, 5])
    after = np.array([0, 1, 2, 9, 4, 5])
    data = align({"a": table(person, truth, before), "b": table(person, truth, after)})
    found = flipped_people(data, "a", "b")
    assert found.to_dict("records") == [
        {"person": "x", "photos": 3, "mended": 2, "broken": 0, "other": 0},
        {"person": "y", "photos": 2, "mended": 0, "broken": 1, "other": 0},
    ]
