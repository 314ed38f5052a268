"""Geometry of boxes, and what stands in where nothing was found."""

from __future__ import annotations

import numpy as np

from pipeline.detect.boxes import (
    FOUND,
    IMPLAUSIBLE,
    PERSON_MEDIAN,
    SET_MEDIAN,
    WHOLE_FRAME,
    clip,
    iou,
    with_fallback_boxes,
)


def test_clip_keeps_boxes_in_the_photo() -> None:
    box = clip(np.array([-5.0, 3.0, 120.0, 90.0]), width=100, height=80)
    assert box.tolist() == [0, 3, 100, 80]
    assert box.dtype == np.float32


def test_iou_of_halves_strangers_and_nothing() -> None:
    a = np.array([0.0, 0.0, 10.0, 10.0])
    assert iou(a, a) == 1
    assert iou(a, np.array([0.0, 0.0, 10.0, 5.0])) == 0.5
    assert iou(a, np.array([5.0, 5.0, 15.0, 15.0])) == 25 / 175
    assert iou(a, np.array([20.0, 20.0, 30.0, 30.0])) == 0
    assert iou(np.zeros(4), np.zeros(4)) == 0
    assert iou(np.stack([a, a]), np.stack([a, a + 20])).tolist() == [1, 0]


def test_the_median_of_the_persons_other_photos_stands_in_at_any_size() -> None:
    boxes = np.array([[10, 20, 50, 60], [20, 20, 60, 60], [30, 20, 90, 60], [0, 0, 0, 0]], dtype=np.float32)
    sizes = np.array([[100, 100], [100, 100], [100, 100], [200, 400]])
    found = np.array([True, True, True, False])
    out, statuses = with_fallback_boxes(boxes, sizes, ["a", "a", "a", "a"], found)
    assert statuses == [FOUND, FOUND, FOUND, PERSON_MEDIAN]
    np.testing.assert_allclose(out[3], [40, 80, 120, 240])
    np.testing.assert_array_equal(out[:3], boxes[:3])


def test_without_a_found_photo_of_that_person_the_sets_median_stands_in() -> None:
    boxes = np.array([[10, 20, 50, 60], [0, 0, 0, 0], [0, 0, 0, 0], [30, 20, 70, 60]], dtype=np.float32)
    sizes = np.array([(100, 80), (100, 80), (200, 160), (100, 80)])
    found = np.array([True, False, False, True])
    out, statuses = with_fallback_boxes(boxes, sizes, ["a", "b", "", ""], found)  # "" = unknown: eval photos
    assert statuses == [FOUND, SET_MEDIAN, SET_MEDIAN, FOUND], "photos to train on and to predict alike"
    np.testing.assert_allclose(out[1], [20, 20, 60, 60])
    np.testing.assert_allclose(out[2], [40, 40, 120, 120])


def test_the_whole_frame_stands_in_only_where_nobody_was_found() -> None:
    sizes = np.full((2, 2), (100, 80))
    boxes, nobody = np.zeros((2, 4), np.float32), np.zeros(2, bool)
    out, statuses = with_fallback_boxes(boxes, sizes, ["a", ""], nobody)
    assert statuses == [WHOLE_FRAME, WHOLE_FRAME]
    assert out.tolist() == [[0, 0, 100, 80]] * 2
    boxes[0] = 10, 10, 20, 20
    first = np.array([True, False])
    out, statuses = with_fallback_boxes(boxes, sizes, ["a", ""], first, implausible=first)
    assert statuses == [WHOLE_FRAME, WHOLE_FRAME], "nothing plausible"
    assert out.tolist() == [[0, 0, 100, 80]] * 2


def test_an_implausible_box_gets_a_median_that_it_has_no_part_in() -> None:
    own, far = [20, 20, 60, 60], [80, 70, 90, 80]
    boxes = np.array([own, far, far, own, far], dtype=np.float32)
    sizes = np.full((5, 2), (100, 100))
    wrong = np.array([False, True, True, False, True])
    out, statuses = with_fallback_boxes(boxes, sizes, ["a", "a", "a", "b", ""], np.ones(5, bool), wrong)
    assert statuses == [FOUND, IMPLAUSIBLE, IMPLAUSIBLE, FOUND, IMPLAUSIBLE]
    np.testing.assert_allclose(out, [own] * 5, rtol=1e-6)


def test_no_photos_at_all() -> None:
    out, statuses = with_fallback_boxes(
        np.zeros((0, 4), np.float32), np.zeros((0, 2), np.int64), [], np.zeros(0, bool)
    )
    assert out.shape == (0, 4)
    assert statuses == []
