"""The same person on another background, with the crop, matte, fill and padding of `compose`."""

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
    """The person on `plate`, then filled and compressed like the composed picture.

    Args:
        plate: uint8 [S, S, 3] RGB, the other background.
        fill: `black`, `mean` and `noise` leave nothing of any background, so nothing changes.
        rng: of the fill; seeded as `compose` seeds it.

    Returns:
        uint8 [S, S, 3] RGB.
    """
    plate = plate.copy()
    plate[person.valid == 0] = NEUTRAL
    picture = composite(person.crop, person.matte, plate, person.valid)
    if fill.NEEDS_MATTE:
        old_background = cv2.bitwise_and(person.valid, cv2.inRange(clamped(person.matte), 0, 0))
        new_background = fill.background(picture, old_background, rng)
        picture = composite(person.crop, person.matte, new_background, person.valid)
    return decode_photo(encode_jpeg(picture))


def own_plate(person: CutOut, rng: np.random.Generator) -> np.ndarray:
    """uint8 [S, S, 3]: the person's own background, with the person inpainted.

    The control of a background swap: with it, only cutting out and compositing change the picture.
    """
    return inpaint(person.crop, inpaint_mask(person.matte), rng)
