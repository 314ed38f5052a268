"""What is answered about a person, and what the network saw of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.labels import AGE_GROUPS, CLASSES, GENDERS, MASKS, TASKS, age_group_of, gender_of, mask_of

NONE = "none"  # status of a photo in which nobody was found
REFUSED = "refused"  # status of a file that is not a usable photo
COLUMNS = (
    *("image", "face", "x1", "y1", "x2", "y2", "status", "mask", "gender", "age_group", "class"),
    *(f"p{c}" for c in range(CLASSES)),
)
DECIMALS = 6  # of a probability
BOX_DECIMALS = 2  # of a pixel


@dataclass(frozen=True)
class Person:
    """One person found in a photo.

    Attributes:
        face: 0 = the one whom the photo is about (`pipeline.detect.choice`), as `dvc repro predict` takes it.
        box: float32 [4], `xyxy` in pixels of the upright photo, clipped to it.
        score: the detector's, 0 to 1; NaN without a detector.
        status: `found`; `implausible` where its landmarks cannot be those of a face in this box; `not_run`
            without a detector, the box then being the whole photo.
        code: class 0 to 17.
        probabilities: float64 [18], sum 1, calibrated.
        raw: float64 [18], sum 1, as the networks gave them: what the stage `predict` writes.
    """

    face: int
    box: np.ndarray
    score: float
    status: str
    code: int
    probabilities: np.ndarray
    raw: np.ndarray

    @property
    def mask(self) -> str:
        """`worn`, `incorrect` or `none`."""
        return MASKS[mask_of(self.code)]

    @property
    def gender(self) -> str:
        """`male` or `female`."""
        return GENDERS[gender_of(self.code)]

    @property
    def age_group(self) -> str:
        """`<30`, `30-59` or `>=60`."""
        return AGE_GROUPS[age_group_of(self.code)]

    @cached_property
    def tasks(self) -> dict[str, np.ndarray]:
        """By task (mask, gender, age) the calibrated probability of each of its values, float64, sum 1."""
        return {n: self.probabilities @ task.membership() for n, task in TASKS.items() if n != "class"}


@dataclass(frozen=True)
class View:
    """What the chain made of one person on the way to the answer.

    Attributes:
        crop: uint8 [M, M, 3] RGB, the square around the box, neutral beyond the photo.
        valid: uint8 [M, M], 255 where `crop` shows the photo, 0 where it is padding.
        matte: uint8 [M, M], 255 = person; None without a segmenter, and where it was not asked for.
        picture: uint8 [S, S, 3] RGB, what the classifier sees.
    """

    crop: np.ndarray
    valid: np.ndarray
    matte: np.ndarray | None
    picture: np.ndarray


def row_of(image: str, person: Person, *, calibrated: bool = True) -> dict[str, Any]:
    """A row of the output, by column."""
    box = (round(float(edge), BOX_DECIMALS) for edge in person.box)
    p = (person.probabilities if calibrated else person.raw).round(DECIMALS)
    values = [
        image,
        person.face,
        *box,
        person.status,
        person.mask,
        person.gender,
        person.age_group,
        person.code,
    ]
    return dict(zip(COLUMNS, [*values, *p.tolist()], strict=True))


def empty_row(image: str, status: str) -> dict[str, Any]:
    """The row of a photo about which nothing is answered."""
    return dict.fromkeys(COLUMNS, "") | {"image": image, "status": status}
