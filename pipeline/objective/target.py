"""What the heads share: the targets of a batch, and one task's loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from pipeline.labels import TASKS

Backbone = Callable[[int], nn.Module]  # number of outputs -> network
LossOf = Callable[[str, torch.Tensor, torch.Tensor], torch.Tensor]  # task, logits [B, C], target [B, C]


@dataclass(frozen=True)
class Target:
    """What a batch should be answered with.

    Args:
        classes: float32 [B, 18], distributions: one-hot, or a mixture after mixup.
        years: float32 [B], the age to learn in years.
    """

    classes: torch.Tensor
    years: torch.Tensor

    def of(self, task: str) -> torch.Tensor:
        """float32 [B, C]: the distribution over one task's codes."""
        if task == "class":
            return self.classes
        return self.classes @ torch.from_numpy(TASKS[task].membership()).to(self.classes)


def joined(mask: torch.Tensor, gender: torch.Tensor, age: torch.Tensor) -> torch.Tensor:
    """float32 [B, 18] from the three tasks' probabilities [B, 3], [B, 2], [B, 3], taken as independent."""
    return torch.einsum("bm,bg,ba->bmga", mask, gender, age).flatten(1)
