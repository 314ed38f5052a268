"""Trains the classifier on the composed and the synthetic pictures.

Reads build/images, build/synthetic, build/labels.parquet and build/folds.parquet (and build/boxes.parquet
if CutMix or an augmentation needs to know where the eyes are, build/plates if `train.background_swap` is
above 0, build/eval.parquet if `train.pseudo_labels` is set); writes build/model and the curves in build/live.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.dataset.extra import NO_FOLD
from pipeline.io.atomic import atomic_folder, write_json
from pipeline.params import Params
from pipeline.params.learning import Train
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say
from pipeline.train.face_features import FEATURES
from stages.shared.artefacts import LIVE, MODEL
from stages.shared.command import Stage, stage_command
from stages.shared.curves import OnEpoch, curves
from stages.shared.feature_training import FeatureTraining
from stages.shared.pseudo_labels import PseudoLabels
from stages.shared.training_set import TrainingSet, training_set

if TYPE_CHECKING:
    from pipeline.train.checkpoint import Progress
    from pipeline.train.data import Examples


@dataclass(frozen=True)
class Fold:
    """The result of one fold.

    Args:
        mix: float64 [18], the class prior of its training set.
        pseudo_labels: summary of the pseudo-labels; None if they are off.
    """

    progress: Progress
    mix: np.ndarray
    pseudo_labels: dict[str, Any] | None = None


def run(stage: Stage) -> None:
    """Trains one fold, or each in turn, and publishes the models and their curves."""
    params = stage.params
    folds = list(range(params.split.folds)) if params.train.folds == "all" else [params.split.validation_fold]
    if params.train.model == FEATURES:
        train_on_features(stage, folds)
        return
    say("train: loading torch and the pictures")
    data = training_set(stage)
    checkpoints = stage.result_cache.parent / "checkpoints" / checkpoint_key(params, data.digest)
    refuse_without_gpu(checkpoints, params.train)
    done: dict[int, Fold] = {}
    with curves(stage.out(LIVE), multiple=len(folds) > 1) as on_epoch:
        for fold in folds:
            done[fold] = train_fold(stage, data, fold, checkpoints / f"fold{fold}.pt", on_epoch(fold))
    publish(stage, data.table, done)
    shutil.rmtree(checkpoints, ignore_errors=True)


def train_on_features(stage: Stage, folds: list[int]) -> None:
    """Fits the linear model on the numbers of face networks, and publishes as after any training."""
    training, done = FeatureTraining(stage), {}
    with curves(stage.out(LIVE), multiple=len(folds) > 1) as on_epoch:
        for fold in folds:
            done[fold] = Fold(*training.fit_fold(fold, on_epoch(fold)))
    publish(stage, training.table, done)


def refuse_without_gpu(checkpoints: Path, train: Train) -> None:
    """Refuses to resume a CUDA training on the CPU.

    Raises:
        UserError: the checkpoints come from CUDA, which is not available now.
    """
    from pipeline.train.checkpoint import Progress
    from pipeline.train.config import resolve_config
    from pipeline.train.device import refuse_slower

    for file in sorted(checkpoints.glob("*.pt")):
        if before := Progress.load(file):
            refuse_slower(before.device, resolve_config(train))


def train_fold(stage: Stage, data: TrainingSet, fold: int, checkpoint: Path, on_epoch: OnEpoch) -> Fold:
    """Trains one fold; with `train.pseudo_labels` a second time, with confident predictions as labels."""
    first = train_round(stage, data, fold, checkpoint, None, on_epoch)
    if data.unlabelled is None:
        return first
    pseudo_labels = data.unlabelled.predict(first.progress.state)
    say(f"train: fold {fold}: {pseudo_labels.log_line()}")
    if len(pseudo_labels) == 0:
        return replace(first, pseudo_labels=pseudo_labels.summary())
    before = first.progress.history

    def continued(history: list[dict[str, float]]) -> None:
        on_epoch(before + history)

    second = checkpoint.with_name(f"fold{fold}-second-{pseudo_labels.digest()}.pt")
    final = train_round(stage, data, fold, second, pseudo_labels, continued)
    return replace(final, pseudo_labels=pseudo_labels.summary())


def train_round(
    stage: Stage,
    data: TrainingSet,
    fold: int,
    checkpoint: Path,
    pseudo_labels: PseudoLabels | None,
    on_epoch: OnEpoch,
) -> Fold:
    """Trains from the start, or resumes from `checkpoint`."""
    from pipeline.objective.objective import training_prior
    from pipeline.train.config import resolve_config
    from pipeline.train.loop import fit
    from pipeline.train.sampling import epoch_length

    if is_handed_over(stage.params):  # `fit` then finds the last checkpoint and has nothing left to do
        train_in_processes(stage, fold, checkpoint, pseudo_labels)
    train, (learn, valid) = stage.params.train, data.sides(fold, pseudo_labels)
    fresh, started = not checkpoint.exists(), time.monotonic()
    progress = fit(learn, valid, resolve_config(train), fold, checkpoint, on_epoch)
    if fresh:
        shown = epoch_length(learn.alike, learn.weights, train.sampler)
        stage.measured(time.monotonic() - started, shown * len(progress.history))
    return Fold(progress, training_prior(learn.counts(train.sampler), train))


def is_handed_over(params: Params) -> bool:
    """Whether other processes than this one train: several, or one on a node of a cluster.

    A single one stays here where nodes may lack what it reads: plates of `train.background_swap`, a user's
    checkpoint, and weights that timm has fetched to this machine.
    """
    from pipeline.train.pretrained import PACKAGED

    train = params.train
    own = train.pretrained if isinstance(train.pretrained, str) else train.pretrained and train.model
    is_elsewhere = train.background_swap == 0 and (not own or own in PACKAGED)
    return train.processes > 1 or (params.machine.engine != "local" and is_elsewhere)


def train_in_processes(stage: Stage, fold: int, checkpoint: Path, pseudo_labels: PseudoLabels | None) -> None:
    """Trains one fold in `train.processes` processes, where `machine.engine` says."""
    from pipeline.train.share import SharedTraining

    training = SharedTraining(
        partial(load_sides, stage, fold, pseudo_labels), stage.params.train, fold, checkpoint
    )
    launcher = load_plugin("train.launchers", stage.params.machine.engine)
    launcher.launch(training, stage.params.machine)


def load_sides(stage: Stage, fold: int, pseudo_labels: PseudoLabels | None) -> tuple[Examples, Examples]:
    """What one process of several learns and validates on."""
    return training_set(stage).sides(fold, pseudo_labels)


def checkpoint_key(params: Params, digest: str) -> str:
    """A hash of everything that a checkpoint depends on: params, pictures, labels and torch's version."""
    import torch

    folds = params.split.folds if params.train.folds == "all" else params.split.validation_fold
    what = [params.train.model_dump(mode="json"), folds, digest, torch.__version__]
    return hashlib.blake2b(json.dumps(what).encode(), digest_size=16).hexdigest()


def publish(stage: Stage, table: pd.DataFrame, done: dict[int, Fold]) -> None:
    """Writes build/model: the best weights of each fold, and their config."""
    from safetensors.torch import save_file

    usable = table[table["train_class"] >= 0]
    own = usable[~usable["synthetic"] & (usable["fold"] != NO_FOLD)]  # as the photos to predict are
    config: dict[str, Any] = {
        "train": stage.params.train.model_dump(mode="json"),
        "folds": {
            str(fold): {
                "best_epoch": {task: best.epoch + 1 for task, best in one.progress.bests.items()},
                "macro_f1": one.progress.score,
                "epochs": len(one.progress.history),
                "pictures": int((usable["fold"] != fold).sum()),
                **({"pseudo_labels": one.pseudo_labels} if one.pseudo_labels else {}),
            }
            for fold, one in done.items()
        },
        "class_counts": np.bincount(own["train_class"], minlength=18).tolist(),
        "learnt_mix": {str(fold): one.mix.tolist() for fold, one in done.items()},
    }
    with atomic_folder(stage.out(MODEL)) as folder:
        for fold, one in done.items():
            (folder / f"fold{fold}").mkdir()
            save_file(one.progress.state, folder / f"fold{fold}" / "model.safetensors")
        write_json(folder / "config.json", config)
    for fold, one in done.items():
        bests = one.progress.bests.items()
        each = ", ".join(f"{b.epoch + 1}" + (f" ({task})" if len(bests) > 1 else "") for task, b in bests)
        say(f"train: fold {fold}: best epoch {each}, macro-F1 {one.progress.score:.3f}")


if __name__ == "__main__":
    stage_command("train", run, __doc__ or "")
