"""Cross-entropy with soft targets for the ordered age groups: middle-aged is nearly young."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.labels import Task
from pipeline.objective.target import soften_age, weighted
from pipeline.params.learning import Train


def loss(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, task: Task, params: Train
) -> torch.Tensor:
    """As cross_entropy, with the age group of the target replaced by its row of `age_soft`.

    Over the 18 classes mask and gender stay sure: class (m, g, a) becomes Σ_b row[a][b] of (m, g, b). The
    tasks mask and gender have no age and are plain cross-entropy.
    """
    soft = torch.from_numpy(soften_age(task, np.asarray(params.age_soft, np.float32))).to(target)
    return weighted(torch.log_softmax(logits, dim=1), target @ soft, weight).mean()
