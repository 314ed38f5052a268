"""Which pictures set the ranges of an int8 classifier, and which judge it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.compose.crop import at_network_size
from pipeline.io.image_store import composed_name
from pipeline.io.photo import decode_photo
from pipeline.runtime.errors import UserError
from pipeline.seeds import seed_of
from stages.shared.artefacts import COMPOSED, FOLDS, LABELS

CALIBRATION = 256  # pictures


def calibration_photos(fold: int) -> list[str]:
    """Photos that the network of a fold learnt from, at most CALIBRATION, the same whatever their order.

    Raises:
        UserError: there are none.
    """
    table = LABELS.read("image", "person", "train_class").merge(FOLDS.read("person", "fold"), on="person")
    learnt = table.loc[(table["train_class"] >= 0) & (table["fold"] != fold), "image"]
    chosen = sorted(learnt, key=lambda image: seed_of(0, "int8 calibration", image))[:CALIBRATION]
    if not chosen:
        fix = "run `dvc repro split`"
        raise UserError("there is no photo to calibrate int8 on", where=f"fold {fold}", got="0", fix=fix)
    return chosen


def pictures_of(images: Sequence[str], size: int) -> list[np.ndarray]:
    """Composed photos as the classifier sees them, uint8 [S, S, 3] RGB."""
    store = COMPOSED.open()
    return [at_network_size(decode_photo(store.read(composed_name(image))), size) for image in images]
