"""Three networks, one for each of mask, gender and age group, whose answers are combined.

They are fed the same batches and share no weight, so no gradient of one reaches another.
"""

from __future__ import annotations

import torch
from torch import nn

from pipeline.labels import TASKS
from pipeline.objective.heads.multitask import PARTS, loss, probabilities
from pipeline.objective.target import Backbone

__all__ = ["build", "loss", "probabilities"]


class Separate(nn.Module):
    """Pixels to outputs [B, 8], mask | gender | age, each from its own network."""

    def __init__(self, networks: dict[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.cat([network(pixels) for network in self.networks.values()], dim=1)


def build(backbone: Backbone) -> nn.Module:
    """Three networks with 3, 2 and 3 outputs."""
    return Separate({name: backbone(TASKS[name].size) for name in PARTS})
