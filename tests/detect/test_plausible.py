"""Boxes that cannot be: told by the person's other photos, by the set, by their own landmarks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.detect.plausible import implausible

SIDE = 1000  # of the photos, in pixels
FACE = (0.3, 0.2, 0.7, 0.6)  # shares of the photo
EYE = (0.35, 0.3, 0.45, 0.4)  # a tenth of the side: an eye of that face
COLLAR = (0.3, 0.65, 0.7, 1.0)  # as large as the face, below it


class Rows(NamedTuple):
    boxes: np.ndarray
    sizes: np.ndarray
    people: list[str]
    found: np.ndarray
    landmarks: np.ndarray


def rows_of(*rows: tuple[str, tuple[float, float, float, float] | None], jitter: float = 0.01) -> Rows:
    """A table of people and their boxes, shaken a little; None = nothing was found."""
    rng = np.random.default_rng(0)
    shares = np.array([box or (0, 0, 0, 0) for _, box in rows]).reshape(-1, 4) + rng.normal(
        0, jitter, (len(rows), 1)
    )
    return Rows(
        (shares * SIDE).astype(np.float32),
        np.full((len(rows), 2), SIDE),
        [person for person, _ in rows],
        np.array([box is not None for _, box in rows], dtype=bool),
        np.full((len(rows), 5, 2), np.nan, np.float32),
    )


def judged(rows: Rows) -> list[int]:
    """Which rows are implausible; the same ones in another order."""
    out = implausible(*rows)
    order = np.random.default_rng(1).permutation(len(out))
    shuffled = implausible(
        rows.boxes[order],
        rows.sizes[order],
        [rows.people[i] for i in order],
        rows.found[order],
        rows.landmarks[order],
    )
    np.testing.assert_array_equal(shuffled, out[order])
    return np.flatnonzero(out).tolist()


def test_the_persons_other_photos_tell() -> None:
    rows = rows_of(*[("a", FACE)] * 3, ("a", EYE), ("a", COLLAR), ("a", None))
    assert judged(rows) == [3, 4]


def test_two_photos_tell_nothing_and_neither_do_few_of_a_set() -> None:
    assert judged(rows_of(("a", FACE), ("a", EYE))) == []
    assert judged(rows_of(*[("", FACE)] * 18, ("", EYE))) == []


def test_the_set_tells_about_photos_of_nobody_known_and_people_with_few() -> None:
    rows = rows_of(*[("", FACE)] * 20, ("", EYE), ("", COLLAR), ("b", EYE), ("b", FACE), ("", None))
    assert judged(rows) == [20, 21, 22]


def test_a_person_whose_photos_agree_may_differ_from_the_set() -> None:
    rows = rows_of(*[("", FACE)] * 20, *[("far away", EYE)] * 3)
    assert judged(rows) == []


def test_people_whose_photos_disagree_are_judged_by_the_set() -> None:
    spread = [("c", FACE), ("c", EYE), ("c", COLLAR), ("c", (0.0, 0.0, 0.2, 0.2))]
    assert judged(rows_of(*spread)) == [], "alone they tell nothing"
    assert judged(rows_of(*[("", FACE)] * 20, *spread)) == [21, 22, 23]


def test_a_set_that_is_framed_freely_judges_nobody() -> None:
    rng = np.random.default_rng(3)
    free = []
    for _ in range(200):
        side = float(rng.uniform(0.05, 0.7))
        x, y = rng.uniform(0, 1 - side, 2)
        free.append(("", (x, y, x + side, y + side)))
    assert judged(rows_of(*free, jitter=0)) == []


def test_shares_of_the_photo_count_not_pixels() -> None:
    rows = rows_of(*[("a", FACE)] * 4)
    boxes, sizes = rows.boxes.copy(), rows.sizes.copy()
    boxes[3] *= 4
    assert judged(rows._replace(boxes=boxes)) == [3]
    sizes[3] *= 4
    assert judged(rows._replace(boxes=boxes, sizes=sizes)) == []


def test_the_limits_stand_where_they_are_stated() -> None:
    same = [("a", FACE)] * 6
    wider, widest = (0.16, 0.16, 0.84, 0.84), (0.14, 0.14, 0.86, 0.86)  # 1.7 and 1.8 times the side
    middle = [("a", (0.3, 0.3, 0.7, 0.7))] * 6
    assert judged(rows_of(*middle, ("a", wider), jitter=0)) == []
    assert judged(rows_of(*middle, ("a", widest), jitter=0)) == [6]
    near, beyond = (0.49, 0.2, 0.89, 0.6), (0.51, 0.2, 0.91, 0.6)  # moved by .19 and .21; half a side is .2
    assert judged(rows_of(*same, ("a", near), jitter=0)) == []
    assert judged(rows_of(*same, ("a", beyond), jitter=0)) == [6]


def test_landmarks_contradict_a_box() -> None:
    rows = rows_of(*[("", FACE)] * 5, jitter=0)
    face = np.array([[0.4, 0.35], [0.6, 0.35], [0.5, 0.42], [0.42, 0.5], [0.58, 0.5]]) * SIDE
    moves = np.array([[0, 0], [0, 0], [300, 0], [0, 120], [0, 0]])
    marks = (face + moves[:, None]).astype(np.float32)
    marks[1] = marks[1, ::-1]  # upside down
    marks[4, 2] = 5000, 5000  # a nose alone tells nothing
    assert judged(rows._replace(landmarks=marks)) == [1, 2, 3]


def test_nothing_and_empty_boxes_are_judged_too() -> None:
    assert judged(rows_of()) == []
    rows = rows_of(*[("a", FACE)] * 4, jitter=0)
    boxes = rows.boxes.copy()
    boxes[0] = 5, 5, 5, 9
    assert judged(rows._replace(boxes=boxes)) == [0], "a box without area holds no face"
