"""Optimiser, schedule and averaged weights, through timm and torch."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from pipeline.params.learning import Train
from pipeline.runtime.errors import UserError, nearest
from pipeline.train.face_layer import WithFaces
from pipeline.train.network import Classifier


def optimizer_of(model: Classifier, params: Train) -> torch.optim.Optimizer:
    """The timm optimiser `train.optimizer`; biases and norms are not decayed.

    Raises:
        UserError: timm has none of that name, or it needs what is not here.
    """
    from timm.optim import create_optimizer_v2, list_optimizers  # pyright: ignore[reportPrivateImportUsage]

    known = cast(list[str], list_optimizers())
    if params.optimizer not in known:
        close = nearest(params.optimizer, known)
        raise UserError(
            "timm has no such optimiser",
            where="train.optimizer",
            got=params.optimizer,
            allowed="sgd, adam, adamw, lion, … (timm.optim.list_optimizers())",
            fix=f"did you mean `{close}`?" if close else "choose another",
        )
    groups: list[dict[str, Any]] = []
    for net in model.networks():
        groups += _groups(net, params)
    try:
        optimizer = create_optimizer_v2(
            groups,
            opt=params.optimizer,
            lr=params.lr,
            weight_decay=params.weight_decay,
            filter_bias_and_bn=False,
        )
    except (ImportError, AssertionError, RuntimeError) as e:
        raise UserError(
            "this optimiser cannot be used here", where="train.optimizer", got=f"{params.optimizer}: {e}"
        ) from e
    if getattr(optimizer, "is_second_order", False):
        raise UserError(
            "this optimiser needs second derivatives, which are not computed here",
            where="train.optimizer",
            got=params.optimizer,
            fix="choose another",
        )
    return optimizer


def _groups(net: nn.Module, params: Train) -> list[dict[str, Any]]:
    from timm.optim import (
        param_groups_layer_decay,  # pyright: ignore[reportPrivateImportUsage]
        param_groups_weight_decay,  # pyright: ignore[reportPrivateImportUsage]
    )

    if isinstance(net, WithFaces):
        own = param_groups_weight_decay(net.get_classifier(), params.weight_decay)
        return _groups(net.backbone, params) + own
    if params.layer_decay < 1:
        return param_groups_layer_decay(net, params.weight_decay, layer_decay=params.layer_decay)
    return param_groups_weight_decay(net, params.weight_decay)


class Schedule:
    """The learning rate over the run: timm's schedules by step, torch's plateau by epoch."""

    def __init__(self, optimizer: torch.optim.Optimizer, params: Train, steps: int) -> None:
        """`steps`: batches in an epoch."""
        from timm.scheduler.scheduler_factory import create_scheduler_v2

        self.optimizer, self.params = optimizer, params
        self.warmup_steps = min(params.warmup_epochs, params.epochs) * steps
        self.plateau: ReduceLROnPlateau | None = None
        if params.schedule == "plateau":  # timm's own forgets its state when a run goes on
            for group in optimizer.param_groups:
                group["lr"] = params.lr * group.get("lr_scale", 1.0)
            self.plateau = ReduceLROnPlateau(optimizer, "max", params.decay_rate, params.patience)
            self.top = [float(group["lr"]) for group in optimizer.param_groups]
            return
        constant = params.schedule == "constant"  # a step schedule that never reaches its step
        self.steps, _ = create_scheduler_v2(
            optimizer,
            sched="step" if constant else params.schedule,
            num_epochs=params.epochs,
            decay_epochs=params.epochs + 1 if constant else params.decay_epochs,
            decay_rate=params.decay_rate,
            warmup_epochs=cast(int, min(params.warmup_epochs, params.epochs)),
            warmup_lr=params.lr * 0.01,
            min_lr=params.lr * 0.01,
            step_on_epochs=False,
            updates_per_epoch=steps,
        )

    def before_step(self, done: int) -> None:
        """Sets the rate of the next step; `done`: steps of the whole run before it."""
        if self.plateau is None:
            cast(Any, self.steps).step_update(done)
        elif done <= self.warmup_steps:
            share = min(1.0, (done + 1) / max(self.warmup_steps, 1))
            for group, top in zip(self.optimizer.param_groups, self.top, strict=True):
                group["lr"] = top * share

    def after_epoch(self, score: float) -> None:
        """Tells `plateau` the validation score (higher is better)."""
        if self.plateau is not None:
            self.plateau.step(score)

    def state_dict(self) -> dict[str, Any]:
        """What `plateau` has seen; the others know all from the number of steps."""
        return {} if self.plateau is None else self.plateau.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.plateau is not None:
            self.plateau.load_state_dict(state)


def make_ema(model: Classifier, params: Train) -> Any:
    """A copy of `model` that follows it slowly (`train.ema_decay`), or None; it has `update(model, step)`."""
    if params.ema_decay == 0:
        return None
    from timm.utils.model_ema import ModelEmaV3

    return ModelEmaV3(model, decay=params.ema_decay, use_warmup=True)
