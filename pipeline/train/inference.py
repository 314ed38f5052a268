"""Inference: probabilities of the 18 classes, with test-time augmentation if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional

from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.train.config import TrainConfig
from pipeline.train.data import Pictures
from pipeline.train.device import autocast
from pipeline.train.face_features import refuse_other_numbers
from pipeline.train.face_layer import face_numbers_in
from pipeline.train.network import Classifier, make_classifier, to_images

BATCH = 64


def load_model(folder: Path, config: TrainConfig, fold: int) -> Classifier:
    """The trained network of one fold, on the device of `config`, in evaluation mode.

    Raises:
        UserError: its weights are missing or do not fit the network that `config` describes.
    """
    path = folder / f"fold{fold}" / "model.safetensors"
    try:
        state = load_file(path)
        model = make_classifier(config, weights=False, face_numbers=face_numbers_in(state))
        model.net.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as e:
        raise UserError(
            "a trained model cannot be loaded",
            where=path,
            got=str(e).splitlines()[0],
            fix="run `dvc repro train`",
        ) from e
    return model.to(config.device).eval()


def predict_probabilities(
    model: Classifier,
    pictures: Pictures,
    config: TrainConfig,
    rows: np.ndarray | None = None,
    *,
    batch_size: int = BATCH,
    flip: bool = False,
    scales: Sequence[float] = (1.0,),
) -> np.ndarray:
    """float64 [n, 18], rows sum to 1; leaves `model` in evaluation mode.

    What face networks say of a photo goes with each of its views.

    Args:
        rows: int [n], which of `pictures`; None: all of them.
        flip: also predict for the mirrored picture.
        scales: how large to show the picture in its frame (1.1 = a tenth larger); predictions are averaged.

    Raises:
        UserError: the model has learnt from other face networks' numbers.
    """
    if pictures.faces is not None:
        refuse_other_numbers(pictures.faces, model.face_numbers)
    heads: Any = load_plugin("objective.heads", config.train.heads)
    model.eval()
    rows = np.arange(len(pictures)) if rows is None else rows
    parts = [np.empty((0, 18))]
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        images = to_images(pictures.gather(batch), config.device)
        faces = pictures.gather_faces(batch, config.device)
        views = [view for scale in scales for view in _views(images, scale, flip)]
        total = torch.zeros(len(images), 18, dtype=torch.float64)
        with torch.inference_mode(), autocast(config):
            for view in views:
                total += heads.probabilities(model(view, faces).float(), config.train).double().cpu()
        parts.append((total / total.sum(dim=1, keepdim=True)).numpy())
    return np.concatenate(parts)


def _views(images: torch.Tensor, scale: float, flip: bool) -> list[torch.Tensor]:
    if scale != 1:  # the frame stays as large as the network expects; around a smaller picture it is mirrored
        theta = torch.tensor([[1 / scale, 0, 0], [0, 1 / scale, 0]], device=images.device)
        grid = functional.affine_grid(
            theta.expand(len(images), 2, 3), list(images.shape), align_corners=False
        )
        images = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return [images, images.flip(3)] if flip else [images]
