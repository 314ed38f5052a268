"""Soft F1: macro-F1 with probabilities in place of counts, so that it has a gradient."""

from __future__ import annotations

import torch

from pipeline.labels import Task
from pipeline.params.learning import Train


def loss(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, task: Task, params: Train
) -> torch.Tensor:
    """1 − Σ_c w_c F_c / Σ_c w_c over the classes in the batch's targets, F_c = 2 Σ t p / (Σ t + Σ p).

    Classes that the batch lacks are left out: their F is 0 whatever the network says.
    """
    del task, params
    p = torch.softmax(logits, dim=1)
    f1 = 2 * (target * p).sum(dim=0) / (target.sum(dim=0) + p.sum(dim=0)).clamp_min(1e-12)
    share = weight * (target.sum(dim=0) > 0)
    return 1 - (share * f1).sum() / share.sum().clamp_min(1e-12)
