"""Where the eyes are in the pictures that are learnt, for CutMix with `train.cutmix_boxes: eyes`."""

from __future__ import annotations

import numpy as np

from pipeline.params import Params
from pipeline.runtime.errors import UserError
from stages.shared.artefacts import BOXES, CROPS


def eyes_asked(params: Params) -> bool:
    """Whether CutMix cuts out eyes."""
    return params.train.mix in ("cutmix", "both") and params.train.cutmix_boxes == "eyes"


def known_eyes(images: list[str], params: Params) -> np.ndarray:
    """float32 [n, 4]: the box around the eyes in each picture, NaN where nobody asks or no face was found."""
    from pipeline.train.mix import eyes_box

    if not eyes_asked(params):
        return np.full((len(images), 4), np.nan, np.float32)
    boxes = BOXES.read("image", "landmarks")
    crops = CROPS.read("image", "x1", "y1", "x2", "y2")
    both = boxes.merge(crops, on="image").set_index("image")
    known = {
        image: eyes_box(list(landmarks), crop)
        for image, landmarks, crop in zip(
            both.index, both["landmarks"], both[["x1", "y1", "x2", "y2"]].to_numpy().tolist(), strict=True
        )
    }
    return np.array([known.get(i, (np.nan,) * 4) for i in images], np.float32).reshape(-1, 4)


def eyes_of(images: list[str], params: Params) -> np.ndarray:
    """As `known_eyes`.

    Raises:
        UserError: eyes are asked for, and no picture has any.
    """
    found = known_eyes(images, params)
    if eyes_asked(params) and np.isnan(found).all():
        raise UserError(
            "no photo has eyes to cut out",
            where="train.cutmix_boxes",
            got="eyes",
            allowed="random, upper_half",
            fix="set detect.method: mtcnn, the detector that finds eyes",
        )
    return found
