"""The training loop: one fold, from examples to the best epoch's weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils.operations import broadcast_object_list

from pipeline import seeds
from pipeline.objective.objective import Objective, target_of
from pipeline.runtime.progress import say
from pipeline.train import device as devices
from pipeline.train.augment.recipe import Recipe
from pipeline.train.checkpoint import Best, Progress
from pipeline.train.config import TrainConfig
from pipeline.train.data import Examples, batches, prefetch
from pipeline.train.mix import Mixer
from pipeline.train.network import Classifier, make_classifier, to_images
from pipeline.train.optimizers import Schedule, freeze, make_ema, optimizer_of
from pipeline.train.processes import share_norms
from pipeline.train.sampling import epoch_length, epoch_order
from pipeline.train.validation import columns_of, validate, weights_of

OnEpoch = Callable[[list[dict[str, float]]], None]


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


def fit(
    learn: Examples, valid: Examples, config: TrainConfig, fold: int, checkpoint: Path, on_epoch: OnEpoch
) -> Progress:
    """Trains on `learn`, keeps the epoch that is best on `valid`.

    Args:
        learn: pictures with training targets.
        valid: pictures of people that are not in `learn`, with true classes.
        config: the resolved `train` section.
        fold: the fold held out; it also tells the random numbers of the folds apart.
        checkpoint: file to resume from if it exists; it holds the state after every epoch.
        on_epoch: called with all rows of curves (step, loss, macro-F1 …) after every epoch.

    Returns:
        The finished progress: `state` is the state dict of the timm network(s), on the CPU.
    """
    epochs = config.train.epochs
    progress = Progress.load(checkpoint) or Progress()
    if progress.epoch:
        on_epoch(progress.history)
    if progress.finished:
        return progress
    if progress.epoch:
        devices.refuse_slower(progress.device, config)
        say(f"train: fold {fold} resumes after epoch {progress.epoch} of {epochs}")
    with devices.explain_cuda_errors(config.device):
        run = start(learn, config, fold)
    progress.device = run.accelerator.device.type
    run.restore(progress.parts)
    begun, first = time.monotonic(), progress.epoch
    for epoch in range(progress.epoch, epochs):
        with devices.explain_cuda_errors(run.accelerator.device):
            row, rate = one_epoch(run, learn, epoch)
            row = broadcast_from_main(row | scores_of(run, valid))
        run.schedule.after_epoch(row["valid/macro_f1"])
        progress.history.append(row)
        keep_best(run, progress, row, epoch)
        progress.epoch, progress.parts = epoch + 1, run.parts()
        waited = epoch - progress.best_epoch
        progress.finished = epoch + 1 == epochs or 0 < config.train.early_stopping <= waited
        if progress.finished and len(progress.bests) > 1:
            run.eval_model.net.load_state_dict(progress.state)
            progress.score = broadcast_from_main(scores_of(run, valid))["valid/macro_f1"]
        if run.accelerator.is_main_process:
            progress.save(checkpoint)
            on_epoch(progress.history)
            report(row, rate, epoch, epochs, fold, (time.monotonic() - begun) / (epoch + 1 - first))
        if progress.finished:
            break
    return progress


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
    length = epoch_length(learn.alike, params.sampler)
    steps = len(batches(np.arange(length), params.batch_size, 0, accelerator.num_processes))
    optimizer = optimizer_of(net, params)
    schedule = Schedule(optimizer, params, steps)
    model, optimizer = accelerator.prepare(net, optimizer)
    age_counts = learn.age_counts(params.sampler, params.age_classes)
    objective = Objective(params, learn.counts(params.sampler), accelerator.device, age_counts)
    recipe, mixer = Recipe(params.augment), Mixer(params)
    return Run(config, fold, accelerator, net, model, optimizer, schedule, ema, objective, recipe, mixer)


def one_epoch(run: Run, learn: Examples, epoch: int) -> tuple[dict[str, float], float]:
    """Learns what the sampler shows. Returns the epoch's row of curves, and pictures per second."""
    params, accelerator = run.config.train, run.accelerator
    torch.manual_seed(seeds.seed_of(params.seed, "epoch", run.fold, epoch))  # dropout and the like
    seed = seeds.seed_of(params.seed, run.fold)
    order = epoch_order(learn.classes, learn.alike, params.sampler, seed, epoch)
    parts = batches(order, params.batch_size, accelerator.process_index, accelerator.num_processes)
    run.model.train()
    freeze(run.net, params, epoch)
    begun, total = time.monotonic(), torch.zeros((), device=accelerator.device)
    batches_ahead = prefetch(learn, parts, epoch, pin=accelerator.device.type == "cuda")
    for step, (where, pixels) in enumerate(batches_ahead):
        run.schedule.before_step(epoch * len(parts) + step)
        images, eyes = to_images(pixels, accelerator.device), learn.eyes[where]
        images = run.recipe(images, learn.keys[where], epoch, eyes)
        classes, years = learn.classes[where], learn.years[where]
        target = target_of(classes, years, accelerator.device, params.age_classes)
        faces = learn.pictures.gather_faces(learn.rows[where], accelerator.device)
        images, target, faces = run.mixer(images, target, learn.keys[where], eyes, epoch, faces)
        loss = run.objective.loss(run.model(images, faces).float(), target)
        accelerator.backward(loss)
        if params.clip_grad:
            accelerator.clip_grad_norm_(run.model.parameters(), params.clip_grad)
        run.optimizer.step()
        run.optimizer.zero_grad()
        if run.ema is not None:
            run.ema.update(run.net, step=epoch * len(parts) + step)
        total += loss.detach() * len(where)
    count = len(order) / accelerator.num_processes
    mean = cast(torch.Tensor, accelerator.reduce(total / count, "mean")).item()
    rate = len(order) / max(time.monotonic() - begun, 1e-9)
    lr = max(group["lr"] for group in run.optimizer.param_groups)
    return {"train/loss": mean, "train/lr": lr}, rate


def scores_of(run: Run, valid: Examples) -> dict[str, float]:
    """The validation columns of an epoch's row of curves."""
    return validate(run.eval_model, valid, run.config)


def broadcast_from_main(row: dict[str, float]) -> dict[str, float]:
    """The first process' row in every process, so that all stop and keep the same epoch."""
    return cast("dict[str, float]", broadcast_object_list([row])[0])


def keep_best(run: Run, progress: Progress, row: dict[str, float], epoch: int) -> None:
    """Keeps the weights of each network whose own score is the best so far."""
    for task, prefix in run.net.prefixes().items():
        score, loss = (row[column] for column in columns_of(task))
        if progress.bests.get(task, Best()).beaten_by(score, loss):
            progress.bests[task] = Best(score, loss, epoch, weights_of(run.eval_model, prefix))
            progress.score = score if task == "class" else progress.score


def report(row: dict[str, float], rate: float, epoch: int, epochs: int, fold: int, seconds: float) -> None:
    """One line for the user; `rate`: pictures learnt per second, `seconds`: of an epoch on average."""
    left = (epochs - epoch - 1) * seconds
    say(
        f"train: fold {fold} epoch {epoch + 1}/{epochs}: loss {row['train/loss']:.3f}, "
        f"valid macro-F1 {row['valid/macro_f1']:.3f} (mask {row['valid/mask_macro_f1']:.3f}, "
        f"gender {row['valid/gender_macro_f1']:.3f}, age {row['valid/age_macro_f1']:.3f}), "
        f"{rate:.0f} images/s, {left:.0f} s left"
    )
