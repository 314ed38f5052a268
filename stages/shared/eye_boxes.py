"""Eye boxes in the training pictures, for CutMix of eyes and augmentations that hide parts of faces."""

from __future__ import annotations

import numpy as np

from pipeline.params import Params
from pipeline.runtime.errors import UserError
from stages.shared.artefacts import BOXES, CROPS


def read_eyes(images: list[str], params: Params) -> np.ndarray:
    """float32 [n, 4]: the box around the eyes in each picture, NaN if unused or no face was found."""
    from pipeline.train.boxes import eyes_box

    if not params.train.eyes_for:
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
        UserError: CutMix or an augmentation needs eye boxes, and no picture has one.
    """
    eyes = read_eyes(images, params)
    needs = params.train.eyes_for
    if needs and np.isnan(eyes).all():
        raise UserError(
            "no photo has eyes to cut out",
            where=needs[0].split(":")[0],
            got=", ".join(need.split()[-1] for need in needs),
            fix="take another value, or set detect.method: retinaface, mtcnn or blazeface, which find eyes",
        )
    return eyes
