"""One head for the 18 classes."""

from __future__ import annotations

import torch
from torch import nn

from pipeline import labels
from pipeline.objective.target import Backbone, LossOf, Target
from pipeline.params.learning import Train


def build(backbone: Backbone, params: Train) -> nn.Module:
    """A network with 18 outputs."""
    del params
    return backbone(labels.CLASSES)


def loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The chosen loss over the 18 classes."""
    del params
    return loss_of("class", outputs, target.classes)


def probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 18]."""
    del params
    return torch.softmax(outputs.float(), dim=1)
