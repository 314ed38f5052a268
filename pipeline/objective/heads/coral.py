"""Mask and gender as classes, age by CORAL: is the person older than each bound?

W. Cao, V. Mirjalili and S. Raschka, Rank consistent ordinal regression for neural networks with application
to age estimation, Pattern Recognition Letters 140 (2020), arXiv:1901.07884. All questions share the weights
of one output and differ in a threshold only, so that no answer contradicts another. The paper proves that the
thresholds are in order where the loss is least; here they are in order throughout, each below the one before
by a positive step, so that no age ever has a negative probability.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from pipeline.objective.ages import age_membership, learnt_ages
from pipeline.objective.target import Backbone, LossOf, Target, joint_from_tasks
from pipeline.params.learning import Train

OTHERS = 5  # outputs of mask and gender, before that of age
FIRST_STEP = 0.5413  # softplus of it is 1, the distance of two thresholds before training


def build(backbone: Backbone, params: Train) -> nn.Module:
    """A network with 3 + 2 + (K − 1) outputs; K = 3, or the classes of `train.age_classes`.

    Its last layer has one output for age, and `age_steps` [K − 2], from which the others follow.
    """
    net = backbone(OTHERS + 1)
    for layer in _last_layers(net):
        layer.register_parameter(
            "age_steps", nn.Parameter(torch.full((learnt_ages(params) - 2,), FIRST_STEP))
        )
        layer.register_forward_hook(_with_thresholds)
    return net


def _last_layers(net: nn.Module) -> list[nn.Module]:
    """What gives the outputs: timm's classifier, of distilled networks two; of several layers the last."""
    found = cast(Any, net).get_classifier() if hasattr(net, "get_classifier") else net
    each = found if isinstance(found, tuple) else (found,)
    return [layer[-1] if isinstance(layer, nn.ModuleList) else layer for layer in each]


def _with_thresholds(layer: nn.Module, _: Any, outputs: torch.Tensor) -> torch.Tensor:
    """[B, 5 + K − 1] from [B, 6]: of age one output for each bound, falling."""
    falls = -functional.softplus(cast(torch.Tensor, layer.age_steps)).cumsum(dim=0)
    others, age = outputs.split([OTHERS, 1], dim=1)
    return torch.cat([others, age, age + falls], dim=1)


def loss(outputs: torch.Tensor, target: Target, params: Train, loss_of: LossOf) -> torch.Tensor:
    """The mean of mask's and gender's chosen loss and age's: the sum over bounds of binary cross-entropies.

    Of a mixed picture an answer is the share that is older. `class_weights` are for mask and gender.
    """
    mask, gender, age = outputs.split([3, 2, learnt_ages(params) - 1], dim=1)
    older = 1 - target.of("age").cumsum(dim=1)[:, :-1].clamp(0, 1)
    questions = functional.binary_cross_entropy_with_logits(age, older, reduction="none")
    losses = [
        loss_of("mask", mask, target.of("mask")),
        loss_of("gender", gender, target.of("gender")),
        questions.sum(dim=1).mean(),
    ]
    return torch.stack(losses).mean()


def probabilities(outputs: torch.Tensor, params: Train) -> torch.Tensor:
    """float32 [B, 18] from outputs [B, 5 + K − 1]; an age is as likely as one answer is above the next."""
    mask, gender, age = outputs.float().split([3, 2, learnt_ages(params) - 1], dim=1)
    older = torch.sigmoid(age)
    bounds = torch.cat([torch.ones_like(older[:, :1]), older, torch.zeros_like(older[:, :1])], dim=1)
    ages = bounds[:, :-1] - bounds[:, 1:]
    if params.age_classes:
        ages = ages @ torch.from_numpy(age_membership(params)).to(ages)
    return joint_from_tasks(mask.softmax(dim=1), gender.softmax(dim=1), ages)
