"""Shared by the heads: targets of a batch, and the loss of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pipeline import labels
from pipeline.labels import TASKS, Task
from pipeline.objective.ages import age_membership, learnt_ages
from pipeline.params.learning import Train

Backbone = Callable[..., nn.Module]  # (outputs[, pixels a side if not train.size]) -> network
LossOf = Callable[[str, torch.Tensor, torch.Tensor], torch.Tensor]  # task, logits [B, C], target [B, C]


@dataclass(frozen=True)
class Target:
    """The targets of a batch.

    Args:
        classes: float32 [B, 18], distributions: one-hot, or a mixture after mixup.
        years: float32 [B], the age to learn in years.
        ages: float32 [B, K], distributions over the classes of `train.age_classes`; None without them.
    """

    classes: torch.Tensor
    years: torch.Tensor
    ages: torch.Tensor | None = None

    def of(self, task: str) -> torch.Tensor:
        """float32 [B, C]: the distribution over one task's codes."""
        if task == "class":
            return self.classes
        if task == "age" and self.ages is not None:
            return self.ages
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


def soften_age(task: Task, rows: np.ndarray) -> np.ndarray:
    """float32 [C, C]: the soft target of each code of a task, mask and gender kept.

    Args:
        rows: float32 [K, K], the soft target of each age: young, middle, old, or finer for the task age.
    """
    if task.name == "age":
        return rows
    if task.name != "class":
        return np.eye(task.size, dtype=np.float32)
    classes = np.arange(labels.CLASSES)
    age = TASKS["age"].code_of(classes)
    same = classes[:, None] // 3 == classes[None, :] // 3  # the same mask and gender
    return np.where(same, rows[age[:, None], age[None, :]], np.float32(0))


PARTS = ("mask", "gender", "age")


def part_sizes(params: Train) -> dict[str, int]:
    """Task → its number of outputs: 3, 2, and 3 or the classes of `train.age_classes`."""
    return {name: learnt_ages(params) if name == "age" else TASKS[name].size for name in PARTS}


def mean_task_loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The mean of the three tasks' losses on outputs [B, 5 + K]: mask | gender | age."""
    parts = outputs.split(list(part_sizes(params).values()), dim=1)
    losses = [loss_of(name, part, target.of(name)) for name, part in zip(PARTS, parts, strict=True)]
    return torch.stack(losses).mean()


def joint_probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 5 + K]: the product of the three tasks' softmax probabilities.

    Those of finer ages are summed within their groups.
    """
    sizes = list(part_sizes(params).values())
    mask, gender, age = (part.softmax(dim=1) for part in outputs.float().split(sizes, dim=1))
    if params.age_classes:
        age = age @ torch.from_numpy(age_membership(params)).to(age)
    return joint_from_tasks(mask, gender, age)
