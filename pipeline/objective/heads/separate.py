"""Three networks, one for each of mask, gender and age, whose answers are combined.

They are fed the same batches and share no weight, so no gradient of one reaches another. Each may see the
middle of the picture only (`train.task_crop`), and at a size of its own (`train.task_size`).
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import nn

from pipeline.objective.target import (
    Backbone,
    LossOf,
    Target,
    joint_probabilities,
    mean_task_loss,
    part_sizes,
)
from pipeline.params.learning import Train


class View(nn.Module):
    """The middle of pictures at another size: float32 [B, 3, S, S] to [B, 3, pixels, pixels].

    Args:
        size: S.
        crop: share of the side that is seen.
        pixels: a side of the view.
    """

    def __init__(self, size: int, crop: float, pixels: int) -> None:
        super().__init__()
        self.crop, self.pixels = crop, pixels
        self.register_buffer("matrix", torch.tensor(view_matrix(size, crop, pixels)), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        matrix = cast(torch.Tensor, self.matrix).to(images)
        return matrix @ images @ matrix.transpose(0, 1)


class Separate(nn.Module):
    """Pixels, and what else a network takes, to outputs [B, 5 + K], mask | gender | age.

    Args:
        networks: by task; each gives its own outputs.
        views: by task, what its network sees instead of the whole picture.
    """

    def __init__(self, networks: dict[str, nn.Module], views: dict[str, View]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.views = nn.ModuleDict(views)

    def forward(self, images: torch.Tensor, *more: torch.Tensor) -> torch.Tensor:
        seen = {task: self.views[task](images) if task in self.views else images for task in self.networks}
        return torch.cat([network(seen[task], *more) for task, network in self.networks.items()], dim=1)


def build(backbone: Backbone, params: Train) -> nn.Module:
    """Three networks with 3, 2 and K outputs; K = 3, or the classes of `train.age_classes`."""
    size, outputs = params.size, part_sizes(params)
    pixels = dict.fromkeys(outputs, size) | {str(task): side for task, side in params.task_size.items()}
    crops = dict.fromkeys(outputs, 1.0) | {str(task): crop for task, crop in params.task_crop.items()}
    views = {
        task: View(size, crops[task], pixels[task])
        for task in outputs
        if (crops[task], pixels[task]) != (1.0, size)
    }
    return Separate({task: backbone(number, pixels[task]) for task, number in outputs.items()}, views)


def view_matrix(size: int, crop: float, pixels: int) -> np.ndarray:
    """float32 [pixels, size], rows sum to 1: the weights of a line's pixels in the pixels of its view.

    Bilinear, and where it shrinks a triangle over all pixels under it, as torch's interpolate with antialias.
    """
    step = size * crop / pixels
    centres = size * (1 - crop) / 2 + (np.arange(pixels) + 0.5) * step
    far = np.abs(np.arange(size) + 0.5 - centres[:, None]) / max(step, 1.0)
    weights = np.clip(1 - far, 0, None)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The mean of the three networks' losses."""
    return mean_task_loss(outputs, target, params, loss_of)


def probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 5 + K]: the product of the three networks' answers."""
    return joint_probabilities(outputs, params)
