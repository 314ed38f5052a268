"""Asking a trained model: probabilities of the 18 classes, with test-time augmentation if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional

from pipeline.networks.backends import Precision
from pipeline.params.schema import Train
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.train.data import Pictures
from pipeline.train.device import autocast, device_of, precision_of
from pipeline.train.network import Classifier, classifier, to_images

BATCH = 64


def load_model(folder: Path, params: Train, fold: int) -> Classifier:
    """The network of one fold as trained, on the device of `params`, ready to be asked.

    Raises:
        UserError: its weights are missing or are not of the network that `params` describe.
    """
    path = folder / f"fold{fold}" / "model.safetensors"
    model = classifier(params, weights=False)
    try:
        model.net.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as e:
        raise UserError(
            "a trained model cannot be loaded",
            where=path,
            got=str(e).splitlines()[0],
            fix="run `dvc repro train`",
        ) from e
    return model.to(device_of(params)).eval()


def probabilities(
    model: Classifier,
    pictures: Pictures,
    params: Train,
    *,
    batch_size: int = BATCH,
    flip: bool = False,
    scales: Sequence[float] = (1.0,),
) -> np.ndarray:
    """float64 [N, 18], rows sum to 1, for all `pictures`, in the device and precision of `params`.

    Args:
        flip: also ask about the mirrored picture.
        scales: how large to show the picture in its frame (1.1 = a tenth larger); the answers are averaged.
    """
    device = device_of(params)
    rows = np.arange(len(pictures))
    precision = precision_of(params, device)
    return probabilities_of(
        model, pictures, rows, params, device, precision, batch_size=batch_size, flip=flip, scales=scales
    )


def probabilities_of(
    model: Classifier,
    pictures: Pictures,
    rows: np.ndarray,
    params: Train,
    device: torch.device,
    precision: Precision,
    *,
    batch_size: int = BATCH,
    flip: bool = False,
    scales: Sequence[float] = (1.0,),
) -> np.ndarray:
    """As `probabilities`, for int rows [n] of `pictures`; leaves the model in evaluation mode."""
    heads: Any = load_plugin("objective.heads", params.heads)
    model.eval()
    found = [np.empty((0, 18))]
    for start in range(0, len(rows), batch_size):
        images = to_images(pictures.gather(rows[start : start + batch_size]), device)
        views = [view for scale in scales for view in _views(images, scale, flip)]
        total = torch.zeros(len(images), 18, dtype=torch.float64)
        with torch.inference_mode(), autocast(device, precision):
            for view in views:
                total += heads.probabilities(model(view).float(), params).double().cpu()
        found.append((total / total.sum(dim=1, keepdim=True)).numpy())
    return np.concatenate(found)


def _views(images: torch.Tensor, scale: float, flip: bool) -> list[torch.Tensor]:
    if scale != 1:  # the frame stays as large as the network expects; around a smaller picture it is mirrored
        theta = torch.tensor([[1 / scale, 0, 0], [0, 1 / scale, 0]], device=images.device)
        grid = functional.affine_grid(
            theta.expand(len(images), 2, 3), list(images.shape), align_corners=False
        )
        images = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return [images, images.flip(3)] if flip else [images]
