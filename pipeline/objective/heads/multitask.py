"""Heads for mask, gender and age group on one backbone; the class is the three answers together."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.labels import TASKS
from pipeline.objective.target import Backbone, LossOf, Target, joined
from pipeline.params.training import Train

PARTS = ("mask", "gender", "age")
SIZES = [TASKS[name].size for name in PARTS]


def build(backbone: Backbone) -> nn.Module:
    """A network with 3 + 2 + 3 outputs: three linear heads that share everything before them."""
    return backbone(sum(SIZES))


def loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The mean of the three tasks' losses."""
    del params
    parts = outputs.split(SIZES, dim=1)
    losses = [loss_of(name, part, target.of(name)) for name, part in zip(PARTS, parts, strict=True)]
    return torch.stack(losses).mean()


def probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 8]: the product of the three answers."""
    del params
    mask, gender, age = (part.softmax(dim=1) for part in outputs.float().split(SIZES, dim=1))
    return joined(mask, gender, age)
