"""Train the classifier on the composed and the synthetic pictures.

Reads build/images, build/synthetic, build/labels.parquet and build/folds.parquet (and build/boxes.parquet
where `train.mix_boxes` is eyes, build/plates where `train.background_swap` is above 0); writes build/model
and the curves in build/live.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.params import Params
from pipeline.progress import say
from pipeline.publish import published_folder, write_json
from stages.command import Stage, stage_command
from stages.curves import curves
from stages.training_set import training_set

if TYPE_CHECKING:
    from pipeline.training.checkpoint import Progress

MODEL, LIVE = "build/model", "build/live"


def run(stage: Stage) -> None:
    """Trains one fold, or each in turn, and publishes the models and their curves."""
    data = training_set(stage)
    from pipeline.training.learnt_mix import learnt_mix
    from pipeline.training.loop import fit

    params = stage.params
    folds = list(range(params.split.folds)) if params.train.folds == "all" else [params.split.validation_fold]
    checkpoints = stage.item_cache.parent / "checkpoints" / checkpoint_key(params, data.digest)
    done: dict[int, Progress] = {}
    mixes: dict[int, np.ndarray] = {}
    with curves(stage.out(LIVE), several=len(folds) > 1) as on_epoch:
        for fold in folds:
            learn, valid = data.sides(fold)
            checkpoint = checkpoints / f"fold{fold}.pt"
            if params.train.processes > 1:  # `fit` then finds the last checkpoint and has nothing left to do
                in_processes(stage, fold, checkpoint)
            fresh, begun = not checkpoint.exists(), time.monotonic()
            done[fold] = fit(learn, valid, params.train, fold, checkpoint, on_epoch(fold))
            if fresh:
                stage.measured(time.monotonic() - begun, len(learn) * len(done[fold].history))
            mixes[fold] = learnt_mix(learn.classes, params.train)
    publish(stage, data.table, done, mixes)
    shutil.rmtree(checkpoints, ignore_errors=True)


def in_processes(stage: Stage, fold: int, checkpoint: Path) -> None:
    """Trains one fold on `train.processes` processes."""
    from pipeline.training.device import device_of
    from pipeline.training.processes import launch

    cpu = device_of(stage.params.train).type == "cpu"
    launch(share, (stage, fold, checkpoint), stage.params.train.processes, cpu)


def share(order: tuple[Stage, int, Path]) -> None:
    """What each of several processes does: the same fold, each its share of every batch."""
    from pipeline.training.loop import fit

    stage, fold, checkpoint = order
    learn, valid = training_set(stage).sides(fold)
    fit(learn, valid, stage.params.train, fold, checkpoint, lambda _: None)


def checkpoint_key(params: Params, digest: str) -> str:
    """Names a training: the same params on the same pictures and labels by the same torch."""
    import torch

    folds = params.split.folds if params.train.folds == "all" else params.split.validation_fold
    what = [params.train.model_dump(mode="json"), folds, digest, torch.__version__]
    return hashlib.blake2b(json.dumps(what).encode(), digest_size=16).hexdigest()


def publish(
    stage: Stage, table: pd.DataFrame, done: dict[int, Progress], mixes: dict[int, np.ndarray]
) -> None:
    """Writes build/model: the best epoch of each fold, and what is needed to use it."""
    from safetensors.torch import save_file

    usable = table[table["train_class"] >= 0]
    real = usable[~usable["synthetic"]]
    config: dict[str, Any] = {
        "train": stage.params.train.model_dump(mode="json"),
        "folds": {
            str(fold): {
                "best_epoch": {task: best.epoch + 1 for task, best in p.bests.items()},
                "macro_f1": p.score,
                "epochs": len(p.history),
                "pictures": int((usable["fold"] != fold).sum()),
            }
            for fold, p in done.items()
        },
        "class_counts": np.bincount(real["train_class"], minlength=18).tolist(),
        "learnt_mix": {str(fold): mix.tolist() for fold, mix in mixes.items()},
    }
    with published_folder(stage.out(MODEL)) as folder:
        for fold, progress in done.items():
            (folder / f"fold{fold}").mkdir()
            save_file(progress.state, folder / f"fold{fold}" / "model.safetensors")
        write_json(folder / "config.json", config)
    for fold, progress in done.items():
        each = ", ".join(
            f"{best.epoch + 1}" + (f" ({task})" if len(progress.bests) > 1 else "")
            for task, best in progress.bests.items()
        )
        say(f"train: fold {fold}: best epoch {each}, macro-F1 {progress.score:.3f}")


if __name__ == "__main__":
    stage_command("train", run, __doc__ or "")
