"""Focal loss: easy photos count less (Lin et al. 2017, arXiv:1708.02002)."""

from __future__ import annotations

import torch

from pipeline.labels import Task
from pipeline.objective.target import weighted
from pipeline.params.learning import Train


def loss(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, task: Task, params: Train
) -> torch.Tensor:
    """Mean over the batch of −Σ_c w_c t_c (1 − p_c)^γ log p_c, γ = `focal_gamma`; γ = 0 is cross_entropy."""
    del task
    log_p = torch.log_softmax(logits, dim=1)
    # clamped: the slope of 0 ** γ is infinite for γ < 1, and p does round to 1
    hard = (1 - log_p.exp()).clamp_min(1e-6) ** params.focal_gamma
    return weighted(log_p, target * hard, weight).mean()
