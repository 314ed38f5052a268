"""What the report computes from tables, by hand; its charts."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from pipeline.analysis.report import chart, scores, tables
from pipeline.labels import CLASSES, TASKS


def test_calibration_by_hand() -> None:
    p = np.zeros((4, CLASSES))
    p[:, 0], p[:, 1] = 0.75, 0.25  # sure to 0.75, right in 3 of 4
    rows = pd.DataFrame(p, columns=[f"p{c}" for c in range(CLASSES)]).assign(true_class=[0, 0, 0, 1])
    found = scores.calibration(rows, TASKS["class"])
    assert (found["confidence"], found["accuracy"], found["photos"]) == ([0.75], [0.75], [4])
    assert found["ece"] == pytest.approx(0)
    rows["true_class"] = 1
    assert scores.calibration(rows, TASKS["class"])["ece"] == pytest.approx(0.75)


def test_worst_mistakes_are_the_surest_one_a_person() -> None:
    p = np.full((4, CLASSES), 0.01)
    p[[0, 1, 2, 3], 5] = [0.5, 0.9, 0.7, 0.99]
    rows = pd.DataFrame(p, columns=[f"p{c}" for c in range(CLASSES)]).assign(
        image=list("abcd"), person=["x", "x", "y", "z"], predicted=5, true_class=[0, 0, 0, 5]
    )
    assert [m["image"] for m in scores.worst(rows, 9)] == ["b", "c"]


def test_errors_by_age_and_changes_by_hand() -> None:
    rows = pd.DataFrame({"image": list("abc"), "true_class": [2, 2, 1], "predicted": [2, 1, 1]})
    found = scores.errors_by_age(rows, pd.Series([60, 60, 59], index=list("abc")))
    assert found.to_dict("list") == {"age": [59, 60], "photos": [1, 2], "wrong": [0.0, 0.5]}
    columns = ["image", "person", "field", "before", "after", "reason", "source"]
    table = pd.DataFrame(
        [[f"{k}.jpg", "p", "gender", "male", "female", "seen", "t"] for k in range(7)], columns=columns
    )
    groups = tables.changes(table)["groups"]
    assert len(groups) == 1
    assert (groups[0]["photos"], groups[0]["people"]) == (7, 1)


def test_the_bars_of_the_ages_are_as_high_as_the_share_and_the_bound_is_between_its_ages() -> None:
    drawn = str(chart.bars([28, 29, 30], [0.25, 0.5, 1.0], [4, 2, 1], (30, 60)))
    assert re.findall(r"<title>(.*?)</title>", drawn) == [
        "28 years: 25% of 4 photos", "29 years: 50% of 2 photos", "30 years: 100% of 1 photos"
    ]  # fmt: skip
    bars = [
        tuple(map(float, b))
        for b in re.findall(r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="([\d.]+)"', drawn)
    ]
    heights = [height for _, _, height in bars]
    assert [h / heights[2] for h in heights] == pytest.approx([0.25, 0.5, 1], abs=0.01)
    ((line, end),) = re.findall(
        r'class="even" x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"', drawn
    )  # not 60: nobody is
    assert line == end
    assert bars[1][0] + bars[1][1] < float(line) < bars[2][0]


def test_charts_keep_their_points_inside_and_escape_names() -> None:
    drawn = str(chart.lines([chart.Line("<b>", [1, 2, 3], [0.0, 7.2, 3.0])], "loss", "epoch"))
    assert "<b>" not in drawn
    points = re.findall(r'points="([^"]+)"', drawn)[0].split()
    for point in points:
        x, y = map(float, point.split(","))
        assert 0 <= x <= chart.WIDTH
        assert 0 <= y <= chart.HEIGHT
    assert len({y.split(",")[1] for y in points}) == 3
