"""Trained models asked about pictures by workers, here or on a cluster: each decodes and asks by itself.

A batch holds the same pictures and a worker one thread, whoever does it: with another number of threads some
networks answer otherwise by 1e-5 in float32 (measured: MobileNetV2, 64 px, 1 and 2 threads).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.io.image_store import ImageStore
from pipeline.io.parcel import Source
from pipeline.labels import CLASSES
from pipeline.params.learning import Inference, Train
from pipeline.params.machine import Machine
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import track
from pipeline.train.config import TrainConfig, resolve_config
from pipeline.train.data import Pictures
from pipeline.train.decoded import decode_picture
from pipeline.train.face_features import Features
from pipeline.train.inference import load_model, predict_probabilities
from pipeline.train.network import Classifier
from pipeline.workers.run import run_parallel

WORTH = 1024 * 128**2  # pixels for which it is worth while to start one more worker, which imports torch


@dataclass(frozen=True)
class Asked:
    """Pictures that one model is asked about.

    Args:
        fold: of the model.
        names: of the pictures.
        faces: what face networks say of each picture's photo, or None.
    """

    fold: int
    names: Sequence[str]
    faces: Features | None = None

    def batches(self, size: int) -> list[Asked]:
        """The same in parts of `size` pictures, the last with what is left."""
        starts = range(0, len(self.names), size)
        rows = [np.arange(start, min(start + size, len(self.names))) for start in starts]
        return [
            Asked(self.fold, tuple(self.names[r[0] : r[-1] + 1]), self.faces and self.faces.of(r))
            for r in rows
        ]


@dataclass(frozen=True)
class Models:
    """The models and how they are asked. Picklable.

    Args:
        train: the params section that they were trained with.
        how: batch size and test-time augmentation.
        folder: of the models.
        pictures: where the pictures are, JPEGs.
    """

    train: Train
    how: Inference
    folder: Path
    pictures: ImageStore


def ask_models(models: Models, asked: Sequence[Asked], machine: Machine, label: str) -> list[np.ndarray]:
    """float64 [n, 18] for each of `asked`: probabilities of the classes, rows sum to 1.

    Args:
        models: which, and how.
        asked: pictures, each group of one model.
        machine: the params section: engine and workers.
        label: for the progress.

    Raises:
        UserError: a model or a picture is missing or damaged.
    """
    config = resolve_config(models.train)
    # a cluster's workers with GPUs still answer on the CPU where this machine would
    train = models.train.model_copy(update={"device": config.device.type})
    models = Models(train, models.how, models.folder, models.pictures)
    size, pixels = models.how.batch_size, _pixels(models.train, models.how)
    items = [batch for one in asked for batch in one.batches(size)]
    machine = _machine_for(config, pixels * sum(len(one.names) for one in asked), machine)
    answers = run_parallel(
        partial(make_worker, models),
        items,
        machine=machine,
        chunk=1 if machine.engine == "local" else max(1, WORTH // (pixels * size)),
        name=_batch_name,
        reads=partial(_sources_of, models.pictures),
        needs=(models.folder.as_posix(),),
        same=partial(device_facts, train),
    )
    ends = np.cumsum([len(one.names) for one in asked])
    rows = list(track((row for answer in answers for row in answer), int(ends[-1]), label, "pictures"))
    return np.split(np.array(rows).reshape(-1, CLASSES), ends[:-1])


def device_facts(train: Train) -> dict[str, Any]:
    """What decides the answers and each machine decides by itself."""
    config = resolve_config(train)
    return {"device": config.device.type, "precision": config.precision}


def make_worker(models: Models) -> Callable[[Asked], np.ndarray]:
    """The function from a batch of n pictures to its probabilities, float64 [n, 18]."""
    config, how = resolve_config(models.train), models.how
    # a GPU would wait for one thread
    pool = ThreadPoolExecutor(worker_count(None)) if config.device.type != "cpu" else None

    @lru_cache(maxsize=1)  # batches come model by model
    def model_of(fold: int) -> Classifier:
        return load_model(models.folder, config, fold)

    def decode(name: str) -> np.ndarray:
        return decode_picture(models.pictures, name, models.train.size)

    def ask(batch: Asked) -> np.ndarray:
        pixels = pool.map(decode, batch.names) if pool else map(decode, batch.names)
        pictures, model = Pictures((np.stack(list(pixels)),), batch.faces), model_of(batch.fold)
        with _one_thread():
            return predict_probabilities(
                model, pictures, config, batch_size=how.batch_size, flip=how.tta_flip, scales=how.tta_scales
            )

    return ask


def _pixels(train: Train, how: Inference) -> int:
    """That the network sees of one picture, in all its views."""
    return train.size**2 * len(how.tta_scales) * (1 + how.tta_flip)


def _machine_for(config: TrainConfig, pixels: int, machine: Machine) -> Machine:
    """With no more workers than are worth their start for so many pixels.

    On a GPU one worker here, unless the cluster's workers have GPUs: several would share this one's.
    """
    if config.device.type != "cpu" and not (machine.engine != "local" and machine.gpus_per_worker):
        return machine.model_copy(update={"engine": "local", "workers": 1})
    if machine.engine != "local":
        return machine
    worth = max(1, pixels // WORTH)
    return machine.model_copy(update={"workers": min(worth, worker_count(machine.workers))})


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _batch_name(batch: Asked) -> str:
    first, *others = batch.names
    return f"{first} and {len(others)} more" if others else first


def _sources_of(pictures: ImageStore, batch: Asked) -> list[Source]:
    return [pictures.source(name) for name in batch.names]
