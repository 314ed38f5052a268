"""What is minimised: the chosen heads' question under the chosen loss and class weights."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from pipeline import labels
from pipeline.labels import TASKS
from pipeline.objective.class_weights import class_weights
from pipeline.objective.target import Target
from pipeline.params.training import Train
from pipeline.runtime.plugins import load_kind

YEARS_OF_GROUP = (
    (0, labels.MIDDLE_FROM - 1),
    (labels.MIDDLE_FROM, labels.OLD_FROM - 1),
    (labels.OLD_FROM, 200),
)


class Objective:
    """Loss of a batch, from outputs and target.

    Args:
        params: the `train` section.
        counts: training pictures of each class, int [18].
        device: where the batches are.
    """

    def __init__(self, params: Train, counts: np.ndarray, device: torch.device) -> None:
        self.params = params
        self.heads = load_kind("objective.heads", params.heads)
        self.kind = load_kind("objective.losses", params.loss)
        self.weights = {
            name: torch.from_numpy(
                class_weights(counts @ task.membership(), params.class_weights, params.effective_beta)
            ).to(device)
            for name, task in TASKS.items()
        }

    def loss(self, outputs: torch.Tensor, target: Target) -> torch.Tensor:
        """A scalar from outputs float32 [B, K]."""
        return self.heads.loss(outputs, target, self.params, self._of_task)

    def _of_task(self, task: str, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.kind.loss(logits, target, self.weights[task], TASKS[task], self.params)


def target_of(classes: np.ndarray, years: np.ndarray, device: torch.device) -> Target:
    """The sure target of int classes [B] and float years [B]."""
    codes = torch.from_numpy(classes).to(device, non_blocking=True)
    one_hot = functional.one_hot(codes, labels.CLASSES).float()
    return Target(one_hot, torch.from_numpy(years).to(device, non_blocking=True))


def years_to_learn(age: np.ndarray, train_class: np.ndarray) -> np.ndarray:
    """float32 [n]: the age in years, moved into the age group of the training target where a rule changed it.

    A person of 59 whom `relabel.age_rules` counts as old is learnt as 60.
    """
    low, high = np.array(YEARS_OF_GROUP).T
    group = labels.age_group_of(train_class)
    return np.clip(age, low[group], high[group]).astype(np.float32)
