"""Boxes `xyxy` in pixels of the upright photo: clipping, overlap, fallback boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FOUND = "found"
IMPLAUSIBLE = "implausible"  # something was found that cannot be it; a median box stands in
PERSON_MEDIAN = "person_median"
SET_MEDIAN = "set_median"
WHOLE_FRAME = "whole_frame"
NOT_RUN = "not_run"
STATUSES = (FOUND, IMPLAUSIBLE, PERSON_MEDIAN, SET_MEDIAN, WHOLE_FRAME, NOT_RUN)


@dataclass(frozen=True)
class Detection:
    """A detected face or person.

    Attributes:
        box: `xyxy` in pixels of the upright photo, float32 [4].
        score: the detector's own confidence, 0 to 1; not comparable between detectors.
        landmarks: x, y of left eye, right eye, nose, left and right corner of the mouth, in pixels,
            float32 [5, 2]; None where the detector has none. Left is the viewer's left.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray | None = None


def clip(box: np.ndarray, width: int, height: int) -> np.ndarray:
    """`box` (xyxy, [..., 4]) cut off at the edges of a photo of width x height pixels; float32."""
    limit = np.array([width, height, width, height], dtype=np.float32)
    return np.clip(np.asarray(box, dtype=np.float32), 0, limit)


def area(box: np.ndarray) -> np.ndarray:
    """Area of boxes xyxy [..., 4] in square pixels, float64 [...]; 0 where a box is inverted."""
    size = np.maximum(
        np.asarray(box, dtype=np.float64)[..., 2:] - np.asarray(box, dtype=np.float64)[..., :2], 0
    )
    return size[..., 0] * size[..., 1]


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes xyxy [..., 4], float64 [...], 0 to 1; 0 where both are empty."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    corners = np.concatenate(
        [np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])], axis=-1
    )
    intersection = area(corners)
    union = area(a) + area(b) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def with_fallback_boxes(
    boxes: np.ndarray,
    sizes: np.ndarray,
    people: Sequence[str],
    found: np.ndarray,
    implausible: np.ndarray | None = None,
) -> tuple[np.ndarray, list[str]]:
    """A box for every photo: the found one, else the person's median, else the set's, else the whole photo.

    Medians are taken edge by edge over the plausible boxes, relative to width and height, since photos
    differ in size. The rule is the same for photos to train on and to predict, so that both are framed alike.

    Args:
        boxes: float32 [N, 4] xyxy pixels; rows that are not `found` are ignored.
        sizes: width and height of each photo, int [N, 2].
        people: the person of each photo; "" = unknown (photos to predict).
        found: bool [N].
        implausible: bool [N], which found boxes are not used; None = none.

    Returns:
        float32 [N, 4], clipped to the photo, and each row's status. Whoever has an implausible box gets the
        status IMPLAUSIBLE with a median box, and WHOLE_FRAME where there is none.
    """
    doubted = np.zeros(len(found), dtype=bool) if implausible is None else found & implausible
    plausible = found & ~doubted
    scale = np.concatenate([sizes, sizes], axis=1).astype(np.float64)
    relative: dict[str, list[np.ndarray]] = {}
    for i in np.flatnonzero(plausible).tolist():
        relative.setdefault(people[i], []).append(boxes[i] / scale[i])
    medians = {person: np.median(np.stack(rows), axis=0) for person, rows in relative.items() if person}
    of_set = np.median(boxes[plausible] / scale[plausible], axis=0) if plausible.any() else None
    out = np.zeros((len(people), 4), dtype=np.float32)
    statuses: list[str] = []
    for i, person in enumerate(people):
        if plausible[i]:
            box, status = boxes[i], FOUND
        elif person in medians:
            box, status = medians[person] * scale[i], PERSON_MEDIAN
        elif of_set is not None:
            box, status = of_set * scale[i], SET_MEDIAN
        else:
            box, status = np.concatenate([[0, 0], sizes[i]]), WHOLE_FRAME
        out[i] = clip(box, int(sizes[i][0]), int(sizes[i][1]))
        statuses.append(IMPLAUSIBLE if doubted[i] and status != WHOLE_FRAME else status)
    return out, statuses
