"""`train.face_features: append`: what face networks say of a photo joins the backbone's pooled features.

The face networks themselves are not trained: their numbers come from build/faces.parquet. The numbers pass
through one layer with dropout, so that a network which has read a face's gender and age elsewhere adds to the
picture's evidence without replacing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from torch import nn

from pipeline.train.face_features import Features

UNITS = 64  # of the layer between the numbers and the head
DROPOUT = 0.5  # of its units; with a thousand numbers a photo it learns people by heart otherwise


class WithFaces(nn.Module):
    """A timm backbone and the numbers of face networks under one linear head.

    Args:
        backbone: pictures to pooled features, float32 [B, 3, S, S] to [B, pooled].
        pooled: how many features it has.
        numbers: how many the face networks say of a photo.
        outputs: of the head.
    """

    def __init__(self, backbone: nn.Module, pooled: int, numbers: int, outputs: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_buffer("face_mean", torch.zeros(numbers))
        self.register_buffer("face_scale", torch.ones(numbers))
        self.faces = nn.Sequential(nn.Linear(numbers, UNITS), nn.ReLU(), nn.Dropout(DROPOUT))
        self.head = nn.Linear(pooled + UNITS, outputs)

    def forward(self, images: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """Outputs [B, outputs] from normalised float32 [B, 3, S, S] and raw numbers, float32 [B, D]."""
        return self.join(self.backbone(images), faces)

    def join(self, features: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        """Outputs [B, outputs] from the backbone's features [B, pooled] and raw numbers, float32 [B, D]."""
        scaled = (faces - cast(torch.Tensor, self.face_mean)) * cast(torch.Tensor, self.face_scale)
        return self.head(torch.cat([features, self.faces(scaled)], dim=1))

    def standardise(self, features: Features) -> None:
        """Scales the numbers by those of the photos to learn from: mean 0, each block heard alike.

        The mean variance of a number is 1, which is what the initial weights of a layer expect.
        """
        mean, scale = features.scaling()
        blocks = len(np.unique(features.blocks))
        scale = scale * np.sqrt(len(scale) / blocks)
        for buffer, values in ((self.face_mean, mean), (self.face_scale, scale)):
            cast(torch.Tensor, buffer).copy_(torch.from_numpy(values))

    def get_classifier(self) -> nn.Module:
        """All that is not the backbone, as timm's models call their heads."""
        return nn.ModuleList([self.faces, self.head])


def face_numbers_in(state: Mapping[str, torch.Tensor]) -> int:
    """How many numbers of face networks the model with this state dict takes; 0: none."""
    return next((len(t) for name, t in state.items() if name.split(".")[-1] == "face_mean"), 0)
