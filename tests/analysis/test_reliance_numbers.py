"""What the reliance stage computes: a swapped picture, shares and their intervals, the order of the sheet."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.reliance.background_swap import own_plate, swapped
from pipeline.analysis.reliance.summary import flip_rates, mean_with_interval, young_to_old
from pipeline.compose.crop import NEUTRAL, Square, cut, inside, placement
from pipeline.compose.cutout import CutOut
from pipeline.compose.fills import black, keep
from pipeline.seeds import generator
from tests.fixtures.pixel_project import drawn


def test_a_swap_keeps_person_and_padding() -> None:
    photo, alpha = drawn("a", (200, 120, 90), (40, 200, 40))
    where = placement(Square(-16, 0, 112, 128), 96, 128, 128)
    me = CutOut(cut(photo, where, 128, NEUTRAL), inside(where, 128), cut(alpha, where, 128, 0))
    plate = np.full((128, 128, 3), (20, 20, 220), np.uint8)
    out = swapped(me, plate, keep, generator(0)).astype(int)
    assert np.abs(out - me.crop)[me.matte == 255].max() <= 12  # JPEG
    assert np.abs(out - plate)[(me.matte == 0) & (me.valid == 255)][200:-200].mean() < 3
    assert np.abs(out[:, :8] - NEUTRAL).max() <= 12
    nothing = swapped(me, plate, black, generator(0))
    assert np.array_equal(nothing, swapped(me, plate // 2, black, generator(0)))
    own = swapped(me, own_plate(me, generator(0)), keep, generator(0)).astype(int)
    assert np.abs(own - me.crop).mean() < 2


def test_share_of_swaps_by_hand() -> None:
    # class 0 (worn male <30) → 2 (age), 6 (mask); class 7 stays once
    shares = flip_rates(np.array([0, 7]), np.array([[2, 6], [7, 10]]))
    assert shares["class"].tolist() == [1.0, 0.5]
    assert shares["age"].tolist() == [0.5, 0.0]
    assert shares["mask"].tolist() == [0.5, 0.0]
    assert shares["gender"].tolist() == [0.0, 0.5]


def test_interval_is_over_people_and_leaves_out_what_was_not_measured() -> None:
    values = np.array([1.0, 1.0, 0.0, 0.0, np.nan])
    whole = mean_with_interval(values, np.array(["a", "a", "b", "b", "c"]), 200, 0)
    assert whole is not None
    assert whole["value"] == 0.5
    assert (whole["low"], whole["high"]) == (0.0, 1.0)  # two people: anything between
    assert mean_with_interval(np.full(2, np.nan), np.array(["a", "b"]), 100, 0) is None


def test_sheet_goes_from_young_to_old_right_before_wrong() -> None:
    rows = pd.DataFrame(
        {
            "image": [f"{i}.jpg" for i in range(40)],
            "person": [f"p{i // 2}" for i in range(40)],
            "age": [20 + i // 2 * 2 for i in range(40)],
            "true_class": 0,
            "predicted": [i % 2 for i in range(40)],
        }
    )
    chosen = young_to_old(rows, 10, 0)
    own = rows.set_index("image").loc[chosen]
    assert len(chosen) == 10
    assert (own["predicted"] == 0).tolist() == [True] * 5 + [False] * 5
    for part in (own[:5], own[5:]):
        assert part["age"].is_monotonic_increasing
        assert part["age"].max() - part["age"].min() > 25
    assert own["person"].is_unique
