"""Cross-entropy with smoothed targets (Szegedy et al. 2016, arXiv:1512.00567)."""

from __future__ import annotations

import torch

from pipeline.labels import Task
from pipeline.objective.target import weighted
from pipeline.params.learning import Train


def loss(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, task: Task, params: Train
) -> torch.Tensor:
    """As cross_entropy, with targets (1 − ε) t + ε / C, ε = `label_smoothing`."""
    del task
    smooth = target * (1 - params.label_smoothing) + params.label_smoothing / target.shape[1]
    return weighted(torch.log_softmax(logits, dim=1), smooth, weight).mean()
