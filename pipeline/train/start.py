"""What the epochs of one fold share, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from pipeline import seeds
from pipeline.objective.objective import Objective
from pipeline.runtime.progress import say
from pipeline.train import device as devices
from pipeline.train.augment.recipe import Recipe
from pipeline.train.config import TrainConfig
from pipeline.train.data import Examples, batches
from pipeline.train.frozen import FrozenPart
from pipeline.train.mix import Mixer
from pipeline.train.network import Classifier, make_classifier
from pipeline.train.optimizers import Schedule, make_ema, optimizer_of
from pipeline.train.sampling import epoch_length
from pipeline.train.shared_norms import share_norms


@dataclass
class Run:
    """What the epochs of one fold share."""

    config: TrainConfig
    fold: int
    accelerator: Accelerator
    net: Classifier  # the bare network
    model: torch.nn.Module  # the same, as accelerate wraps it
    optimizer: Any
    schedule: Schedule
    ema: Any
    objective: Objective
    recipe: Recipe
    mixer: Mixer
    frozen: FrozenPart

    @property
    def eval_model(self) -> Classifier:
        """What is validated and kept: the averaged network where there is one."""
        return self.ema.module if self.ema is not None else self.net

    def parts(self) -> dict[str, Any]:
        """State dicts of all that the next epoch depends on."""
        named = {"net": self.net, "optimizer": self.optimizer, "schedule": self.schedule, "ema": self.ema}
        named["scaler"] = self.accelerator.scaler
        return {name: part.state_dict() for name, part in named.items() if part is not None}

    def restore(self, parts: dict[str, Any]) -> None:
        for name, state in parts.items():
            part: Any = self.accelerator.scaler if name == "scaler" else getattr(self, name)
            part.load_state_dict(state)


def start(learn: Examples, config: TrainConfig, fold: int) -> Run:
    """A fresh network, with its optimiser, schedule, objective and augmentation."""
    params = config.train
    devices.set_deterministic(config.device)
    accelerator = devices.make_accelerator(config)
    if accelerator.is_main_process:
        say(f"train: {params.model} on {devices.describe_device(config)}, {len(learn)} pictures")
    torch.manual_seed(seeds.seed_of(params.seed, "init", fold))
    faces = learn.pictures.faces
    net = make_classifier(config, face_numbers=faces.numbers.shape[1] if faces else 0)
    if faces:
        net.standardise(faces.of(learn.rows))
    net = net.to(accelerator.device)
    ema = make_ema(net, params)  # before accelerate wraps `forward`: a copy would call the original's
    if accelerator.num_processes > 1:
        share_norms(net)
    length = epoch_length(learn.alike, learn.weights, params.sampler)
    steps = len(batches(np.arange(length), params.batch_size, 0, accelerator.num_processes))
    optimizer = optimizer_of(net, params)
    schedule = Schedule(optimizer, params, steps)
    model, optimizer = accelerator.prepare(net, optimizer)
    age_counts = learn.age_counts(params.sampler, params.age_classes)
    objective = Objective(params, learn.counts(params.sampler), accelerator.device, age_counts)
    recipe, mixer, frozen = Recipe(params.augment), Mixer(params), FrozenPart(net, config)
    if params.freeze_epochs and accelerator.is_main_process:
        say(frozen.describe())
    return Run(
        config, fold, accelerator, net, model, optimizer, schedule, ema, objective, recipe, mixer, frozen
    )
