"""Heads for mask, gender and age group on one backbone; the class is the three answers together."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.objective.target import SIZES, Backbone, LossOf, Target, joint_probabilities, mean_task_loss
from pipeline.params.learning import Train


def build(backbone: Backbone) -> nn.Module:
    """A network with 3 + 2 + 3 outputs: three linear heads that share everything before them."""
    return backbone(sum(SIZES))


def loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The mean of the three tasks' losses."""
    del params
    return mean_task_loss(outputs, target, loss_of)


def probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 8]: the product of the three answers."""
    del params
    return joint_probabilities(outputs)
