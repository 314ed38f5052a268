"""Three networks, one for each of mask, gender and age group, whose answers are combined.

They are fed the same batches and share no weight, so no gradient of one reaches another.
"""

from __future__ import annotations

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


class Separate(nn.Module):
    """Pixels, and what else a network takes, to outputs [B, 5 + K], mask | gender | age."""

    def __init__(self, networks: dict[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([network(*inputs) for network in self.networks.values()], dim=1)


def build(backbone: Backbone, params: Train) -> nn.Module:
    """Three networks with 3, 2 and K outputs; K = 3, or the classes of `train.age_classes`."""
    return Separate({name: backbone(size) for name, size in part_sizes(params).items()})


def loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The mean of the three networks' losses."""
    return mean_task_loss(outputs, target, params, loss_of)


def probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 5 + K]: the product of the three networks' answers."""
    return joint_probabilities(outputs, params)
