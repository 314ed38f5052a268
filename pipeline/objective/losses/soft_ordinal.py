"""Cross-entropy with soft targets that fall with the distance in age (Díaz & Marathe, CVPR 2019).

R. Díaz and A. Marathe, Soft Labels for Ordinal Regression (SORD), CVPR 2019, eq. 2: the target of class k
where r is true is exp(−φ(r, k)) / Σ_j exp(−φ(r, j)); here φ is the distance in age classes, divided by
`soft_ordinal_scale`.
"""

from __future__ import annotations

import numpy as np
import torch

from pipeline.labels import AGE_GROUPS, Task
from pipeline.objective.target import soften_age, weighted
from pipeline.params.learning import Train


def loss(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, task: Task, params: Train
) -> torch.Tensor:
    """As cross_entropy, with the age of the target softened; the three groups, or `train.age_classes`.

    Over the 18 classes mask and gender stay sure. The tasks mask and gender are plain cross-entropy.
    """
    ages = target.shape[1] if task.name == "age" else len(AGE_GROUPS)
    soft = torch.from_numpy(soften_age(task, ordinal_rows(ages, params.soft_ordinal_scale))).to(target)
    return weighted(torch.log_softmax(logits, dim=1), target @ soft, weight).mean()


def ordinal_rows(ages: int, scale: float) -> np.ndarray:
    """float32 [K, K]: the soft target of each of K ages, rows sum to 1."""
    rank = np.arange(ages)
    closeness = np.exp(-np.abs(rank[:, None] - rank) / scale)
    return (closeness / closeness.sum(axis=1, keepdims=True)).astype(np.float32)
