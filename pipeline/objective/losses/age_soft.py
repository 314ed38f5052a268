"""Cross-entropy with soft targets for the ordered age groups: middle-aged is nearly young."""

from __future__ import annotations

import numpy as np
import torch

from pipeline import labels
from pipeline.labels import TASKS, Task
from pipeline.objective.target import weighted
from pipeline.params.learning import Train


def loss(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, task: Task, params: Train
) -> torch.Tensor:
    """As cross_entropy, with the age group of the target replaced by its row of `age_soft`.

    Over the 18 classes mask and gender stay sure: class (m, g, a) becomes Σ_b row[a][b] of (m, g, b). The
    tasks mask and gender have no age and are plain cross-entropy.
    """
    soft = torch.from_numpy(softening(task, np.asarray(params.age_soft, np.float32))).to(target)
    return weighted(torch.log_softmax(logits, dim=1), target @ soft, weight).mean()


def softening(task: Task, rows: np.ndarray) -> np.ndarray:
    """float32 [C, C]: the soft target of each code. Rows [3, 3]: young, middle, old."""
    if task.name == "age":
        return rows
    if task.name != "class":
        return np.eye(task.size, dtype=np.float32)
    classes = np.arange(labels.CLASSES)
    age = TASKS["age"].code_of(classes)
    same = classes[:, None] // 3 == classes[None, :] // 3  # the same mask and gender
    return np.where(same, rows[age[:, None], age[None, :]], np.float32(0))
