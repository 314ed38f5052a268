"""The training loop: one fold, from examples to the best epoch's weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from accelerate.utils.operations import broadcast_object_list

from pipeline import seeds
from pipeline.objective.objective import target_of
from pipeline.objective.target import Target
from pipeline.runtime.progress import say
from pipeline.train import device as devices
from pipeline.train.checkpoint import Best, Progress
from pipeline.train.config import TrainConfig
from pipeline.train.data import Examples, batches, prefetch
from pipeline.train.frozen import freeze
from pipeline.train.head_inputs import HeadInputs
from pipeline.train.inference import predict_probabilities
from pipeline.train.network import to_images
from pipeline.train.sampling import epoch_order
from pipeline.train.start import Run, start
from pipeline.train.validation import columns_of, validation_row, weights_of

OnEpoch = Callable[[list[dict[str, float]]], None]


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
            row = broadcast_from_main(row | scores_of(run, valid, epoch))
        run.schedule.after_epoch(row["valid/macro_f1"])
        progress.history.append(row)
        keep_best(run, progress, row, epoch)
        progress.epoch, progress.parts = epoch + 1, run.parts()
        waited = epoch - progress.best_epoch
        progress.finished = epoch + 1 == epochs or 0 < config.train.early_stopping <= waited
        if progress.finished and len(progress.bests) > 1:
            run.eval_model.net.load_state_dict(progress.state)
            progress.score = broadcast_from_main(scores_of(run, valid, epoch))["valid/macro_f1"]
        if run.accelerator.is_main_process:
            progress.save(checkpoint)
            on_epoch(progress.history)
            report(row, rate, epoch, epochs, fold, (time.monotonic() - begun) / (epoch + 1 - first))
        if progress.finished:
            break
    return progress


def one_epoch(run: Run, learn: Examples, epoch: int) -> tuple[dict[str, float], float]:
    """Learns what the sampler shows. Returns the epoch's row of curves, and pictures per second."""
    params, accelerator = run.config.train, run.accelerator
    torch.manual_seed(seeds.seed_of(params.seed, "epoch", run.fold, epoch))  # dropout and the like
    seed = seeds.seed_of(params.seed, run.fold)

    def shown(epoch: int) -> np.ndarray:
        return epoch_order(learn.classes, learn.alike, learn.weights, params.sampler, seed, epoch)

    order = shown(epoch)
    parts = batches(order, params.batch_size, accelerator.process_index, accelerator.num_processes)
    begun, total = time.monotonic(), torch.zeros((), device=accelerator.device)
    known = run.frozen.inputs("learn", learn, shown, epoch)
    run.model.train()
    freeze(run.net, params, epoch)
    answered = heads_on(run, learn, parts, known) if known else network_on(run, learn, parts, epoch)
    for step, (outputs, target) in enumerate(answered):
        run.schedule.before_step(epoch * len(parts) + step)
        loss = run.objective.loss(outputs, target)
        accelerator.backward(loss)
        if params.clip_grad:
            accelerator.clip_grad_norm_(run.model.parameters(), params.clip_grad)
        run.optimizer.step()
        run.optimizer.zero_grad()
        if run.ema is not None:
            run.ema.update(run.net, step=epoch * len(parts) + step)
        total += loss.detach() * len(outputs)
    count = len(order) / accelerator.num_processes
    mean = cast(torch.Tensor, accelerator.reduce(total / count, "mean")).item()
    rate = len(order) / max(time.monotonic() - begun, 1e-9)
    lr = max(group["lr"] for group in run.optimizer.param_groups)
    return {"train/loss": mean, "train/lr": lr}, rate


def network_on(
    run: Run, learn: Examples, parts: list[np.ndarray], epoch: int
) -> Iterator[tuple[torch.Tensor, Target]]:
    """Outputs float32 [b, K] and target of each batch, augmented and mixed as the epoch wants it."""
    params, device = run.config.train, run.accelerator.device
    for where, pixels in prefetch(learn, parts, epoch, pin=device.type == "cuda"):
        images, eyes = to_images(pixels, device), learn.eyes[where]
        target = target_of(learn.classes[where], learn.years[where], device, params.age_classes)
        faces = learn.pictures.gather_faces(learn.rows[where], device)
        keys = learn.keys[where]
        if not run.mixer.pastes_eyes:
            images = run.recipe(images, keys, epoch, eyes)
        images, target, faces = run.mixer(images, target, keys, eyes, epoch, faces)
        if run.mixer.pastes_eyes:  # once pixels have moved, the boxes say no longer where the eyes are
            images = run.recipe(images, keys, epoch, eyes)
        yield run.model(images, faces).float(), target


def heads_on(
    run: Run, learn: Examples, parts: list[np.ndarray], known: HeadInputs
) -> Iterator[tuple[torch.Tensor, Target]]:
    """As `network_on`, from what the frozen part said before."""
    params, device = run.config.train, run.accelerator.device
    for where in parts:
        target = target_of(learn.classes[where], learn.years[where], device, params.age_classes)
        yield known.outputs(run.net, where).float(), target


def scores_of(run: Run, valid: Examples, epoch: int) -> dict[str, float]:
    """The validation columns of an epoch's row of curves."""
    net = run.eval_model
    known = run.frozen.inputs("valid", valid, lambda _: np.arange(len(valid)), epoch)
    p = (
        known.probabilities(net)
        if known
        else predict_probabilities(net, valid.pictures, run.config, valid.rows)
    )
    return validation_row(p, valid.classes, net.prefixes())


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
