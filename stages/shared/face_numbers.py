"""What face networks say of photos, for a model that takes it beside the picture (`train.face_features`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.params.learning import Train
from pipeline.train.face_features import APPEND, Features, read_features
from stages.shared.artefacts import FACES


def faces_to_append(train: Train, images: Sequence[str]) -> Features | None:
    """The numbers of these photos in float32, in this order; None unless `train.face_features` is append.

    Every photo has a row: where no face was found, the networks looked at the box that stands in for it.

    Raises:
        UserError: no network was asked, or not about one of the photos.
    """
    if train.face_features != APPEND:
        return None
    features = read_features(FACES.read(), images)
    return replace(features, numbers=features.numbers.astype(np.float32))
