"""The paths that train the classifier and ask it."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from unittest import mock

import cv2
import numpy as np

from benchmarks.device.outcome import Attempt, Material, NotHere, Outcome

if TYPE_CHECKING:
    from pipeline.train.checkpoint import Progress
    from pipeline.train.config import TrainConfig
    from pipeline.train.data import Examples

MODEL, SIZE, EPOCHS = "resnet10t", 64, 2
# Untrained features differ little from photo to photo: only heads that learn a lot tell wrong ones apart
PROBE_EPOCHS, PROBE_LR = 10, 0.3
# Largest difference of a curve from the CPU's in float32 that is ok, by precision
FAR: dict[str, float] = {"f32": 0.05, "bf16": 0.15, "f16": 0.15}


def learns(precision: Literal["f32", "bf16", "f16"]) -> Attempt:
    """A short training in `precision`, channels last, against the loss on the CPU in float32."""

    def path(material: Material) -> Outcome:
        if precision == "f32" and material.device == "cpu":
            raise NotHere("float32 on the CPU is what the others are compared with")
        if precision == "f16" and material.device == "cpu":
            raise NotHere("float16 is for CUDA")
        return compared(material, precision, {}, f"{MODEL}, {EPOCHS} epochs in {precision}")

    return path


def probes(material: Material) -> Outcome:
    """Linear probing from features that are computed once, against a network that looks in each epoch."""
    from pipeline.train.frozen import FrozenPart

    change = {"freeze_epochs": PROBE_EPOCHS, "epochs": PROBE_EPOCHS, "lr": PROBE_LR, "augment": "none"}
    with mock.patch.object(FrozenPart, "inputs", return_value=None):
        wanted, _ = trained(material, config_of("cpu", "f32", **change))
    found, rate = trained(material, config_of(material.device, "f32", **change))
    what = f"linear probing, {PROBE_EPOCHS} epochs; 1 - the losses' largest difference"
    same = agreement(found, wanted, "train/loss", "valid/loss")
    return Outcome(same, 1 - FAR["f32"], rate, what)


def answers(material: Material) -> Outcome:
    """Probabilities of an untrained network with test-time augmentation, in the device's own precision."""
    from pipeline.train.inference import predict_probabilities
    from pipeline.train.network import make_classifier

    examples, found = examples_of(material), list[np.ndarray]()
    usual, asked = config_of("cpu", "f32"), config_of(material.device, "auto")
    model, rate = make_classifier(usual), 0.0
    for config in (usual, asked):
        for _ in range(2):  # the first makes the device ready
            begun = time.perf_counter()
            p = predict_probabilities(
                model.to(config.device), examples.pictures, config, flip=True, scales=(1.0, 1.1)
            )
            rate = len(p) / (time.perf_counter() - begun)
        found.append(p)
    far = float(np.abs(found[0] - found[1]).max())
    return Outcome(1 - far, 0.98, rate, f"probabilities, four views, {asked.precision}")


def shares(material: Material) -> Outcome:
    """As many processes as there are devices (on the CPU two) against one, by the loss."""
    import torch

    count = torch.cuda.device_count() if material.device == "cuda" else 2
    if count < 2:
        raise NotHere("there is one CUDA device")
    kind = "nccl" if material.device == "cuda" else "gloo"
    return compared(material, "f32", {"processes": count}, f"{count} processes, {kind}")


def compared(material: Material, precision: str, change: dict[str, Any], what: str) -> Outcome:
    """The curve of the training loss on the device, against one process on the CPU in float32."""
    alone = {name: value for name, value in change.items() if name != "processes"}
    wanted, _ = trained(material, config_of("cpu", "f32", **alone))
    found, rate = trained(material, config_of(material.device, precision, **change))
    same, least = agreement(found, wanted, "train/loss"), 1 - FAR[precision]
    return Outcome(same, least, rate, f"{what}; 1 - the loss's largest difference")


def agreement(found: Progress, wanted: Progress, *curves: str) -> float:
    """1 - the largest difference of these curves, at least 0; 0 too where the training loss did not fall."""
    rows = list(zip(found.history, wanted.history, strict=True))
    gap = float(np.max([abs(a[name] - b[name]) for a, b in rows for name in curves]))  # NaN stays NaN
    fell = found.history[-1]["train/loss"] < found.history[0]["train/loss"]
    return max(0.0, 1 - gap) if fell else 0.0


def trained(material: Material, config: TrainConfig) -> tuple[Progress, float]:
    """A training on the drawn photos, and pictures per second, its start included."""
    from pipeline.params.machine import Machine
    from pipeline.train.checkpoint import Progress
    from pipeline.train.launchers.local import launch
    from pipeline.train.share import SharedTraining

    examples = examples_of(material)
    with tempfile.TemporaryDirectory(dir=material.root) as folder:
        checkpoint, begun = Path(folder) / "fold.pt", time.perf_counter()
        training = SharedTraining(partial(both, examples), config.train, 0, checkpoint)
        if config.train.processes > 1:
            launch(training, Machine())
        else:
            training.run()
        seconds = time.perf_counter() - begun
        progress = Progress.load(checkpoint)
    assert progress, "the training left no checkpoint"
    return progress, config.train.epochs * len(examples) / seconds


def both(examples: Examples) -> tuple[Examples, Examples]:
    """To learn and to validate on; at the module's top, so that a new process finds it."""
    return examples, examples


def config_of(device: str, precision: str, **change: Any) -> TrainConfig:
    """A small training: random are only the order and the flips, which are the same on each device."""
    from pipeline.params.learning import Train
    from pipeline.train.config import resolve_config

    values = {"model": MODEL, "size": SIZE, "epochs": EPOCHS, "batch_size": 16, "lr": 0.001}
    values |= {"sampler": "none", "augment": "flip", "mix": "none", "device": device, "precision": precision}
    return resolve_config(Train.model_validate(values | change))


def examples_of(material: Material) -> Examples:
    """The drawn photos at SIZE with classes that can be seen: dark, middle or bright."""
    from benchmarks.training_input import examples_of as made_up

    pixels = np.stack(
        [cv2.resize(photo, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for photo in material.photos]
    )
    examples = made_up(pixels, [str(n) for n in range(len(pixels))])
    bright = pixels.mean(axis=(1, 2, 3))
    examples.classes[:] = 6 * np.searchsorted(np.quantile(bright, [1 / 3, 2 / 3]), bright)
    return examples
