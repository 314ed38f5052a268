"""Shared by the heads: targets of a batch, and the loss of a task."""

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
    """The targets of a batch.

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


def joint_from_tasks(mask: torch.Tensor, gender: torch.Tensor, age: torch.Tensor) -> torch.Tensor:
    """float32 [B, 18] from the three tasks' probabilities [B, 3], [B, 2], [B, 3], taken as independent."""
    return torch.einsum("bm,bg,ba->bmga", mask, gender, age).flatten(1)


def weighted(log_p: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross-entropy [B] of distributions: −Σ_c w_c t_c log p_c.

    Args:
        log_p: log-probabilities, float32 [B, C].
        target: distributions, float32 [B, C], rows sum to 1.
        weight: of each class, float32 [C]; all ones for none.
    """
    return -(weight * target * log_p).sum(dim=1)


PARTS = ("mask", "gender", "age")
SIZES = [TASKS[name].size for name in PARTS]


def mean_task_loss(outputs: torch.Tensor, target: Target, loss_of: LossOf) -> torch.Tensor:
    """The mean of the three tasks' losses on outputs [B, 8]: mask | gender | age group."""
    parts = outputs.split(SIZES, dim=1)
    losses = [loss_of(name, part, target.of(name)) for name, part in zip(PARTS, parts, strict=True)]
    return torch.stack(losses).mean()


def joint_probabilities(outputs: torch.Tensor) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 8]: the product of the three tasks' softmax probabilities."""
    mask, gender, age = (part.softmax(dim=1) for part in outputs.float().split(SIZES, dim=1))
    return joint_from_tasks(mask, gender, age)
