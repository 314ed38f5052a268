"""Eye boxes in the training pictures, for CutMix with `train.cutmix_boxes: eyes`."""

from __future__ import annotations

import numpy as np

from pipeline.params import Params
from pipeline.runtime.errors import UserError
from stages.shared.artefacts import BOXES, CROPS


def uses_eye_boxes(params: Params) -> bool:
    """Whether CutMix cuts out eyes."""
    return params.train.mix in ("cutmix", "both") and params.train.cutmix_boxes == "eyes"


def read_eyes(images: list[str], params: Params) -> np.ndarray:
    """float32 [n, 4]: the box around the eyes in each picture, NaN if unused or no face was found."""
    from pipeline.train.mix import eyes_box

    if not uses_eye_boxes(params):
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


def require_eyes(images: list[str], params: Params) -> np.ndarray:
    """Like `read_eyes`.

    Raises:
        UserError: CutMix needs eye boxes, and no picture has one.
    """
    eyes = read_eyes(images, params)
    if uses_eye_boxes(params) and np.isnan(eyes).all():
        raise UserError(
            "no photo has eyes to cut out",
            where="train.cutmix_boxes",
            got="eyes",
            allowed="random, upper_half",
            fix="set detect.method: retinaface, mtcnn or blazeface, the detectors that find eyes",
        )
    return eyes
