"""Whether a U-Net suits photos that it was not fitted to: its mattes beside the selfie network's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.io.image_store import ImageStore, matte_name
from pipeline.io.photo import decode_matte
from pipeline.networks.indexed_photo import IndexedPhoto
from pipeline.params.preparation import Segment
from pipeline.segment.mattes import iou
from pipeline.segment.methods import selfie

MAX_PHOTOS = 20
MIN_IOU = 0.8  # the U-Net of the drawn demo has .75 on photos of real faces and .50 on natural photos
POOR_IOU = 0.5
Background = tuple[int, int, int]


@dataclass(frozen=True)
class Agreement:
    """IoU of two networks' mattes on some photos.

    Attributes:
        photos: how many.
        iou: their mean, in [0, 1], rounded to three places.
        poor: photos below `POOR_IOU`.
    """

    photos: int
    iou: float
    poor: int


def is_fitted_to(fitted: Path, data: Path) -> bool:
    """Whether the photos in `data` are, or hold, those in `fitted`, to which a U-Net was fitted."""
    one, other = (Path(os.path.realpath(place)) for place in (fitted, data))
    return one == other or one in other.parents or other in one.parents


def agree(
    photos: Sequence[IndexedPhoto], mattes: ImageStore, segment: Segment, root: Path, background: Background
) -> Agreement | None:
    """Compares mattes with the selfie network's on at most 20 photos, chosen by their content.

    Args:
        photos: to choose from.
        mattes: of all of them.
        segment: its `selfie` says which weights.
        root: the folder with `.cache`.
        background: RGB behind transparent pixels.

    Returns:
        None if there is no photo.

    Raises:
        UserError: the selfie network's weights are not to be had; a photo or its matte cannot be read.
    """
    chosen = sorted(photos, key=lambda photo: (photo.sha256, photo.image))[:MAX_PHOTOS]
    if not chosen:
        return None
    matte = selfie.create(segment, root, root)
    scores = [
        iou(decode_matte(mattes.read(matte_name(photo.image))), matte([photo.read(background)])[0])
        for photo in chosen
    ]
    poor = int(np.count_nonzero(np.array(scores) < POOR_IOU))
    return Agreement(len(scores), round(float(np.mean(scores)), 3), poor)
