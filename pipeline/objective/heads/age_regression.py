"""Mask and gender as classes, age as years that two bounds cut into groups (`train.age_bounds`)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from pipeline.objective.target import Backbone, LossOf, Target, joint_from_tasks
from pipeline.params.learning import Train

MEAN_YEARS = 40.0  # the output is (years - 40) / 20, so that an untrained 0 is a plausible age
YEARS_PER_UNIT = 20.0
BLUR_YEARS = 3.0  # scale of the logistic curve at a bound


def build(backbone: Backbone, params: Train) -> nn.Module:
    """A network with 3 + 2 + 1 outputs."""
    del params
    return backbone(6)


def loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The mean of mask's and gender's chosen loss and age's smooth L1 distance in units of 20 years."""
    del params
    mask, gender, age = outputs.split([3, 2, 1], dim=1)
    target_years = (target.years - MEAN_YEARS) / YEARS_PER_UNIT
    losses = [
        loss_of("mask", mask, target.of("mask")),
        loss_of("gender", gender, target.of("gender")),
        functional.smooth_l1_loss(age[:, 0], target_years, beta=0.25),
    ]
    return torch.stack(losses).mean()


def years(outputs: torch.Tensor) -> torch.Tensor:
    """float32 [B]: the age in years, from outputs [B, 6]."""
    return outputs[:, 5].float() * YEARS_PER_UNIT + MEAN_YEARS


def probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 6]; the likeliest age group is the one whose bounds hold the years.

    A logistic curve of 3 years around each bound says how sure: at a bound the two sides are even.
    """
    middle_from, old_from = params.age_bounds
    at_least_middle = torch.sigmoid((years(outputs) - middle_from) / BLUR_YEARS)
    at_least_old = torch.sigmoid((years(outputs) - old_from) / BLUR_YEARS)
    age = torch.stack([1 - at_least_middle, at_least_middle - at_least_old, at_least_old], dim=1)
    mask, gender = outputs[:, :3].float().softmax(dim=1), outputs[:, 3:5].float().softmax(dim=1)
    return joint_from_tasks(mask, gender, age)
