"""The same person on another background, composed as `compose` composes.

Only the background differs from the original picture: crop, matte, fill and padding are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from pipeline.composite import composite, snapped
from pipeline.crop import NEUTRAL, Square, cut, inside, placement
from pipeline.paint_out import hole, painted_out
from pipeline.photo import decode_photo, encode_jpeg


class Fill(Protocol):
    """A file of `pipeline/fills`."""

    NEEDS_MATTE: bool

    def background(self, crop: np.ndarray, behind: np.ndarray, rng: np.random.Generator) -> np.ndarray: ...


@dataclass(frozen=True)
class Scene:
    """A photo cut to its square.

    Args:
        crop: uint8 [S, S, 3] RGB, neutral where it reaches beyond the photo.
        matte: uint8 [S, S], 0 = background, 255 = person.
        known: uint8 [S, S], 255 where the crop shows the photo, 0 where it is padding.
    """

    crop: np.ndarray
    matte: np.ndarray
    known: np.ndarray


def scene(photo: np.ndarray, alpha: np.ndarray, square: Square, size: int) -> Scene:
    """Cuts photo uint8 [H, W, 3] and matte uint8 [H, W] to `size` × `size`."""
    where = placement(square, photo.shape[1], photo.shape[0], size)
    return Scene(cut(photo, where, size, NEUTRAL), cut(alpha, where, size, 0), inside(where, size))


def swapped(person: Scene, plate: np.ndarray, fill: Fill, rng: np.random.Generator) -> np.ndarray:
    """The person in front of `plate`, then filled and compressed as the composed picture was.

    Args:
        plate: uint8 [S, S, 3] RGB, the other background.
        fill: with `black`, `mean` and `noise` nothing of any background is left, so nothing changes.
        rng: of the fill; seeded as `compose` seeds it.

    Returns:
        uint8 [S, S, 3] RGB.
    """
    plate = plate.copy()
    plate[person.known == 0] = NEUTRAL
    picture = composite(person.crop, person.matte, plate, person.known)
    if fill.NEEDS_MATTE:
        behind = cv2.bitwise_and(person.known, cv2.inRange(snapped(person.matte), 0, 0))
        filling = fill.background(picture, behind, rng)
        picture = composite(person.crop, person.matte, filling, person.known)
    return decode_photo(encode_jpeg(picture))


def own_plate(person: Scene, rng: np.random.Generator) -> np.ndarray:
    """uint8 [S, S, 3]: the person's own background with the person painted out.

    Put back behind the person it changes nothing but what cutting out changes: the control of a swap.
    """
    return painted_out(person.crop, hole(person.matte), rng)
