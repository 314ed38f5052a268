"""Cross-entropy."""

from __future__ import annotations

import torch

from pipeline.labels import Task
from pipeline.objective.target import weighted
from pipeline.params.learning import Train


def loss(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, task: Task, params: Train
) -> torch.Tensor:
    """Mean over the batch of −Σ_c w_c t_c log p_c.

    Args:
        logits: float32 [B, C], one row a photo.
        target: float32 [B, C], distributions over the task's codes (one-hot, or a mixture after mixup).
        weight: float32 [C] of `class_weights`, all ones for none.
        task: the task of the logits.
        params: the `train` section.

    Returns:
        A scalar, in nats.
    """
    del task, params
    return weighted(torch.log_softmax(logits, dim=1), target, weight).mean()
