"""The same person on another background, composed as `compose` composes.

Only the background differs from the original picture: crop, matte, fill and padding are the same.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from pipeline.compose.composite import clamped, composite
from pipeline.compose.crop import NEUTRAL
from pipeline.compose.cutout import CutOut
from pipeline.compose.inpaint import inpaint, inpaint_mask
from pipeline.io.photo import decode_photo, encode_jpeg


class Fill(Protocol):
    """A file of `pipeline/compose/fills`."""

    NEEDS_MATTE: bool

    def background(
        self, crop: np.ndarray, old_background: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray: ...


def swapped(person: CutOut, plate: np.ndarray, fill: Fill, rng: np.random.Generator) -> np.ndarray:
    """The person in front of `plate`, then filled and compressed as the composed picture was.

    Args:
        plate: uint8 [S, S, 3] RGB, the other background.
        fill: with `black`, `mean` and `noise` nothing of any background is left, so nothing changes.
        rng: of the fill; seeded as `compose` seeds it.

    Returns:
        uint8 [S, S, 3] RGB.
    """
    plate = plate.copy()
    plate[person.valid == 0] = NEUTRAL
    picture = composite(person.crop, person.matte, plate, person.valid)
    if fill.NEEDS_MATTE:
        old_background = cv2.bitwise_and(person.valid, cv2.inRange(clamped(person.matte), 0, 0))
        filling = fill.background(picture, old_background, rng)
        picture = composite(person.crop, person.matte, filling, person.valid)
    return decode_photo(encode_jpeg(picture))


def own_plate(person: CutOut, rng: np.random.Generator) -> np.ndarray:
    """uint8 [S, S, 3]: the person's own background with the person painted out.

    Put back behind the person it changes nothing but what cutting out changes: the control of a swap.
    """
    return inpaint(person.crop, inpaint_mask(person.matte), rng)
