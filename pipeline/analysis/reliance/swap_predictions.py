"""Predictions and Grad-CAM maps for the views of a few photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from pipeline.analysis.reliance.gradcam import cams, outside_share
from pipeline.analysis.reliance.summary import flip_rates
from pipeline.analysis.reliance.swap_views import Result
from pipeline.labels import TASKS
from pipeline.train.config import TrainConfig
from pipeline.train.data import Pictures
from pipeline.train.face_features import Features
from pipeline.train.inference import predict_probabilities
from pipeline.train.network import Classifier, to_images


def predict_views(
    model: Classifier, config: TrainConfig, batch: Sequence[Result], faces: Features | None = None
) -> tuple[pd.DataFrame, dict[str, np.ndarray] | None]:
    """Predicts all views of a batch at once.

    Args:
        faces: what face networks say of the photos of the batch (`train.face_features`), or None. They saw
            the photo itself, so every view of it keeps its numbers.

    Returns:
        A row per photo: `image, predicted, background` (share of the picture that is background) and for each
        task `flip_rate_TASK`, `same_background_TASK`, `cam_outside_TASK`, NaN where not measured;
        and the Grad-CAM maps of the pictures as they are, task → float32 [N, S, S], or None (see
        `pipeline.analysis.reliance.gradcam`).
    """
    pictures = np.concatenate([v.pictures for v in batch])
    photo_of = np.repeat(np.arange(len(batch)), [len(v.pictures) for v in batch])
    views_with_faces = Pictures((pictures,), faces and faces.of(photo_of))
    predicted = predict_probabilities(model, views_with_faces, config).argmax(axis=1)
    by_photo = np.split(predicted, np.cumsum([len(v.pictures) for v in batch])[:-1])
    rows: dict[str, object] = {
        "image": [v.image for v in batch],
        "predicted": np.array([int(a[0]) for a in by_photo], np.int64),
        "background": [np.nan if v.alpha is None else 1 - float(v.alpha.mean()) / 255 for v in batch],
    }
    for measure, views in (("flip_rate", slice(2, None)), ("same_background", slice(1, 2))):
        shares = [flip_rates(a[:1], a[None, views]) if len(a[views]) else None for a in by_photo]
        for task in TASKS:
            rows[f"{measure}_{task}"] = [np.nan if s is None else float(s[task][0]) for s in shares]
    originals = torch.from_numpy(np.stack([v.pictures[0] for v in batch]))
    first = np.flatnonzero(np.diff(photo_of, prepend=-1))
    cams_by_task = cams(
        model,
        to_images(originals, config.device),
        config.train,
        views_with_faces.gather_faces(first, config.device),
    )
    maps = None if cams_by_task is None else {task: cam.numpy() for task, cam in cams_by_task.items()}
    for task in TASKS:
        rows[f"cam_outside_{task}"] = [
            np.nan
            if maps is None or view.alpha is None
            else float(outside_share(maps[task][i : i + 1], view.alpha[None])[0])
            for i, view in enumerate(batch)
        ]
    return pd.DataFrame(rows), maps
