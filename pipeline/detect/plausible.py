"""Found boxes that cannot be right: an eye or a collar taken for a face, told by all other boxes of the set.

A box is judged against a group: the found boxes of the same person, or, where these are fewer than
`PERSON_BOXES` or do not agree, all found boxes of the set. A group agrees when both spreads (robust standard
deviations, 1.4826 x median absolute deviation) are at most `MAX_SPREAD`: of the centre in sides of the
group's median box, and of the logarithm of the side. Where not even the set agrees, as with photos framed
freely, no box is judged but by its own landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PERSON_BOXES = 3  # of a person, to be a group
SET_BOXES = 20
MAX_SPREAD = 0.25
MAX_SHIFT = 0.5  # sides of the median box: beyond, the centre lies outside it
MAX_FACTOR = 1.75  # of the median side, up or down
SPREADS = 3.5  # a box may be off by so many spreads of its group, where that is more


class Shape(NamedTuple):
    """Place and size of N boxes, in shares of their photos' sides.

    Attributes:
        centre: float64 [N, 2], x and y.
        side: float64 [N, 2], width and height.
        log_size: float64 [N], logarithm of the square root of width x height.
    """

    centre: np.ndarray
    side: np.ndarray
    log_size: np.ndarray

    def of(self, rows: np.ndarray) -> Shape:
        """Some of the boxes."""
        return Shape(self.centre[rows], self.side[rows], self.log_size[rows])


def implausible(
    boxes: np.ndarray, sizes: np.ndarray, people: Sequence[str], found: np.ndarray, landmarks: np.ndarray
) -> np.ndarray:
    """Which found boxes cannot be right. Depends on the rows alone, not on their order.

    Args:
        boxes: float32 [N, 4], `xyxy`, pixels of the photo; rows that are not `found` are ignored.
        sizes: width and height of each photo in pixels, int [N, 2].
        people: the person of each photo; "" = unknown (photos to predict).
        found: bool [N].
        landmarks: float32 [N, 5, 2] in pixels, left eye, right eye, nose, left and right corner of the mouth;
            NaN where a detector has none.

    Returns:
        bool [N]; False where nothing was found.
    """
    out = found & contradicted(boxes, landmarks)
    rows = np.flatnonzero(found & ~out)
    shape = shape_of(boxes[rows], sizes[rows])
    by_person: dict[str, list[int]] = {}
    for position, row in enumerate(rows.tolist()):
        by_person.setdefault(people[row], []).append(position)
    strangers = by_person.pop("", [])
    for positions in by_person.values():
        own = shape.of(np.array(positions))
        if len(positions) >= PERSON_BOXES and agrees(own):
            out[rows[positions]] = far_off(own, own)
        else:
            strangers += positions
    if strangers and len(rows) >= SET_BOXES and agrees(shape):
        out[rows[strangers]] = far_off(shape.of(np.array(strangers)), shape)
    return out


def contradicted(boxes: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Boxes [N, 4] whose landmarks [N, 5, 2] (args of `implausible`) cannot be theirs; bool [N].

    The middle of the eyes or of the mouth lies outside the box, the mouth is above the eyes, or it is empty.
    """
    eyes, mouth = landmarks[:, :2].mean(axis=1), landmarks[:, 3:].mean(axis=1)
    outside = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    for point in (eyes, mouth):
        outside |= ((point < boxes[:, :2]) | (point > boxes[:, 2:])).any(axis=1)
    return outside | (mouth[:, 1] < eyes[:, 1])  # comparisons with NaN are False


def shape_of(boxes: np.ndarray, sizes: np.ndarray) -> Shape:
    """Place and size of boxes float [N, 4], `xyxy` pixels, none of them empty, in photos of sizes [N, 2]."""
    first, last = boxes[:, :2] / sizes, boxes[:, 2:] / sizes
    side = (last - first).astype(np.float64)
    return Shape((first + last) / 2, side, np.log(side).mean(axis=1))


def agrees(group: Shape) -> bool:
    """Whether the boxes of a group are alike enough to judge by."""
    shift = spread(group.centre) / np.median(group.side, axis=0)
    return bool((shift <= MAX_SPREAD).all() and spread(group.log_size) <= MAX_SPREAD)


def far_off(boxes: Shape, group: Shape) -> np.ndarray:
    """Which boxes lie elsewhere than a group that agrees, or are far larger or smaller; bool [N]."""
    side = np.median(group.side, axis=0)
    shift = np.abs(boxes.centre - np.median(group.centre, axis=0)) / side
    factor = np.abs(boxes.log_size - np.median(group.log_size))
    shift_limit = np.maximum(MAX_SHIFT, SPREADS * spread(group.centre) / side)
    factor_limit = max(float(np.log(MAX_FACTOR)), SPREADS * float(spread(group.log_size)))
    return (shift > shift_limit).any(axis=1) | (factor > factor_limit)


def spread(values: np.ndarray) -> np.ndarray:
    """Robust standard deviation of float [N, ...] over N, float64 [...]."""
    return 1.4826 * np.median(np.abs(values - np.median(values, axis=0)), axis=0)
