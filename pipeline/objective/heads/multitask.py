"""Heads for mask, gender and age group on one backbone; the class is the three answers together."""

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


def build(backbone: Backbone, params: Train) -> nn.Module:
    """A network with 3 + 2 + K outputs: three linear heads that share everything before them.

    K = 3, or the classes of `train.age_classes`.
    """
    return backbone(sum(part_sizes(params).values()))


def loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The mean of the three tasks' losses."""
    return mean_task_loss(outputs, target, params, loss_of)


def probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 5 + K]: the product of the three answers."""
    return joint_probabilities(outputs, params)
