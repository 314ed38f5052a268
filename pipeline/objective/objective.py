"""The training objective: the loss of the chosen heads, with class weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from pipeline import labels
from pipeline.labels import TASKS
from pipeline.objective.ages import age_codes, learnt_ages
from pipeline.objective.target import Target
from pipeline.params.learning import Train
from pipeline.runtime.plugins import load_plugin

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
        age_counts: those of each class of `train.age_classes`, [K], which class weights need then.
    """

    def __init__(
        self, params: Train, counts: np.ndarray, device: torch.device, age_counts: np.ndarray | None = None
    ) -> None:
        self.params = params
        self.heads = load_plugin("objective.heads", params.heads)
        self.losses = [
            (load_plugin("objective.losses", name).loss, weight) for name, weight in params.losses.items()
        ]
        counted = {name: counts @ task.membership() for name, task in TASKS.items()}
        if params.age_classes:
            counted["age"] = np.ones(learnt_ages(params)) if age_counts is None else age_counts
        self.weights = {
            name: torch.from_numpy(class_weights(n, params.class_weights, params.effective_beta)).to(device)
            for name, n in counted.items()
        }

    def loss(self, outputs: torch.Tensor, target: Target) -> torch.Tensor:
        """A scalar from outputs float32 [B, K]."""
        return self.heads.loss(outputs, target, self.params, self._of_task)

    def _of_task(self, task: str, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        parts = [
            weight * loss(logits, target, self.weights[task], TASKS[task], self.params)
            for loss, weight in self.losses
        ]
        return torch.stack(parts).sum()


def target_of(
    classes: np.ndarray, years: np.ndarray, device: torch.device, age_classes: Sequence[int] = ()
) -> Target:
    """The one-hot target of int classes [B] and float years [B], which `age_classes` cut into finer ages."""

    def one_hot(codes: np.ndarray, size: int) -> torch.Tensor:
        return functional.one_hot(torch.from_numpy(codes).to(device, non_blocking=True), size).float()

    ages = one_hot(age_codes(years, age_classes), len(age_classes) + 1) if age_classes else None
    in_years = torch.from_numpy(years).to(device, non_blocking=True)
    return Target(one_hot(classes, labels.CLASSES), in_years, ages)


def years_to_learn(age: np.ndarray, train_class: np.ndarray) -> np.ndarray:
    """float32 [n]: the age in years, moved into the age group of the training target where a rule changed it.

    E.g. 59 becomes 60 where `relabel.age_rules` counts 59 as old.
    """
    low, high = np.array(YEARS_OF_GROUP).T
    group = labels.age_group_of(train_class)
    return np.clip(age, low[group], high[group]).astype(np.float32)


def class_weights(counts: np.ndarray, kind: str, beta: float = 0.999) -> np.ndarray:
    """float32 [C]: a weight for each class, scaled so that the mean over the training pictures is 1.

    The scale keeps the learning rate's meaning when weights are switched on. Classes without pictures get 0.

    Args:
        counts: training pictures of each class, [C], at least one above 0.
        kind: `none` (all ones), `inverse` (1 / n) or `effective` ((1 − β) / (1 − βⁿ), Cui et al. 2019,
            arXiv:1901.05555).
        beta: β of `effective`; 0 gives no weighting, towards 1 it becomes `inverse`.
    """
    n = np.asarray(counts, dtype=np.float64)
    if kind == "none":
        return np.ones(len(n), dtype=np.float32)
    occurs = n > 0
    raw = np.zeros(len(n))
    if kind == "inverse":
        raw[occurs] = 1 / n[occurs]
    else:
        raw[occurs] = (1 - beta) / (1 - beta ** n[occurs])
    return (raw * n.sum() / (raw * n).sum()).astype(np.float32)


def training_prior(counts: np.ndarray, params: Train) -> np.ndarray:
    """float64 [18], sum 1: the class prior in the loss, after `train.sampler` and `train.class_weights`.

    A network that minimises cross-entropy predicts for photos with this prior. A sampler changes how often a
    class is drawn. A class weight acts as a factor on its count; with heads per task the prediction is a
    product, so the weights of its three codes multiply.

    Args:
        counts: [18], pictures of each class in an epoch (`Examples.counts`), synthetic and pseudo-labelled
            ones included.
        params: the `train` section.
    """
    prior = counts.astype(np.float64)
    if params.sampler.endswith(("class", "age")):
        classes = np.arange(labels.CLASSES)
        groups = classes if params.sampler.endswith("class") else labels.age_group_of(classes)
        group_counts = np.bincount(groups, counts)[groups]
        prior = np.divide(prior, group_counts, out=np.zeros_like(prior), where=group_counts > 0)
    tasks = ("class",) if params.heads == "joint" else ("mask", "gender", "age")
    for name in tasks:
        own = class_weights(counts @ TASKS[name].membership(), params.class_weights, params.effective_beta)
        prior *= own[TASKS[name].code_of(np.arange(labels.CLASSES))]
    return prior / prior.sum()
