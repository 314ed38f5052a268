"""Trained models asked about pictures by workers, here or on a cluster: each decodes and asks by itself.

A batch holds the same pictures and a worker one thread, whoever does it: with another number of threads some
networks answer otherwise by 1e-5 in float32 (measured: MobileNetV2, 64 px, 1 and 2 threads).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.io.image_store import ImageStore
from pipeline.io.parcel import Source
from pipeline.params.learning import Inference, Train
from pipeline.params.machine import Machine
from pipeline.runtime.progress import track
from pipeline.train.config import resolve_config
from pipeline.train.data import Pictures
from pipeline.train.decoded import decode_picture
from pipeline.train.face_features import Features
from pipeline.train.inference import build_model, predict_probabilities, read_weights, weights_path
from pipeline.workers.run import run_parallel

WORTH = 1024 * 128**2  # pixels for which it is worth while to start one more worker, which imports torch


@dataclass(frozen=True)
class Batch:
    """Pictures that go through the networks together; `faces`: what face networks say of each, or None."""

    names: tuple[str, ...]
    faces: Features | None


@dataclass(frozen=True)
class Question:
    """Which models are asked, and how. Picklable.

    Args:
        train: the params section that they were trained with.
        how: batch size and test-time augmentation.
        pictures: where the pictures are.
        folder: of the models.
        weights: of each, a file of safetensors, by fold.
    """

    train: Train
    how: Inference
    pictures: ImageStore
    folder: Path
    weights: dict[int, bytes]


def ask_models(
    train: Train,
    how: Inference,
    pictures: ImageStore,
    names: Sequence[str],
    faces: Features | None,
    model: tuple[Path, Sequence[int]],
    machine: Machine,
    label: str,
) -> np.ndarray:
    """float64 [F, N, 18]: probabilities of the classes, rows sum to 1, from the model of each fold.

    Args:
        train: the params section that the models were trained with.
        how: batch size and test-time augmentation.
        pictures: where the pictures are, JPEGs.
        names: of the pictures.
        faces: what face networks say of each picture's photo, or None.
        model: folder of the models, and which folds'.
        machine: the params section: engine and workers.
        label: for the progress.

    Raises:
        UserError: a model or a picture is missing or damaged.
    """
    folder, folds = model
    # a cluster's workers with GPUs still answer on the CPU where this machine would
    train = train.model_copy(update={"device": resolve_config(train).device.type})
    asked = Question(train, how, pictures, folder, {fold: read_weights(folder, fold) for fold in folds})
    starts = range(0, len(names), how.batch_size)
    batches = [
        Batch(
            tuple(names[start : start + how.batch_size]),
            faces and faces.of(np.arange(start, min(start + how.batch_size, len(names)))),
        )
        for start in starts
    ]
    answers = run_parallel(
        partial(make_worker, asked),
        batches,
        machine=_machine_for(train, machine),
        chunk=max(1, WORTH // (train.size**2 * how.batch_size)),
        name=_batch_name,
        reads=partial(_sources_of, pictures),
        same=partial(device_facts, train),
    )
    by_picture = list(track(_rows(answers), len(names), label, "pictures"))
    return np.stack(by_picture, axis=1) if by_picture else np.empty((len(folds), 0, 18))


def device_facts(train: Train) -> dict[str, Any]:
    """What decides the answers and each machine decides by itself."""
    config = resolve_config(train)
    return {"device": config.device.type, "precision": config.precision}


def make_worker(asked: Question) -> Callable[[Batch], np.ndarray]:
    """The function from a batch of n pictures to its probabilities, float64 [F, n, 18]."""
    config = resolve_config(asked.train)
    models = [
        build_model(weights, config, weights_path(asked.folder, fold))
        for fold, weights in asked.weights.items()
    ]
    how = asked.how

    def ask(batch: Batch) -> np.ndarray:
        pixels = np.stack([decode_picture(asked.pictures, n, asked.train.size) for n in batch.names])
        pictures = Pictures((pixels,), batch.faces)
        with _one_thread():
            return np.stack(
                [
                    predict_probabilities(
                        model,
                        pictures,
                        config,
                        batch_size=how.batch_size,
                        flip=how.tta_flip,
                        scales=how.tta_scales,
                    )
                    for model in models
                ]
            )

    return ask


def _machine_for(train: Train, machine: Machine) -> Machine:
    """On a GPU one worker here, unless the cluster's workers have GPUs: several would share this one's."""
    on_gpu = resolve_config(train).device.type != "cpu"
    if on_gpu and not (machine.engine != "local" and machine.gpus_per_worker):
        return machine.model_copy(update={"engine": "local", "workers": 1})
    return machine


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _rows(answers: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """float64 [F, 18] of each picture."""
    for answer in answers:
        yield from answer.swapaxes(0, 1)


def _batch_name(batch: Batch) -> str:
    first, *others = batch.names
    return f"{first} and {len(others)} more" if others else first


def _sources_of(pictures: ImageStore, batch: Batch) -> list[Source]:
    return [pictures.source(name) for name in batch.names]
