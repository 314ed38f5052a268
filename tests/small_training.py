"""Training on the small set, and what came of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from pipeline.params import Params
from pipeline.seeds import seed_of
from pipeline.training.checkpoint import Progress
from pipeline.training.data import Examples
from pipeline.training.loop import fit
from pipeline.training.network import Classifier, classifier, to_images
from pipeline.training.objective import Objective, target_of
from stages import train
from stages.command import Stage
from stages.training_set import training_set
from tests.conftest import ROOT

WEIGHTS = "build/model/fold0/model.safetensors"


def trained(params: Params, limit: int | None = None) -> None:
    train.run(Stage("train", params, limit))


def weights(path: str = WEIGHTS) -> dict[str, torch.Tensor]:
    return load_file(path)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def curve(name: str) -> list[float]:
    return pd.read_csv(f"build/live/plots/metrics/{name}.tsv", sep="\t")[name.split("/")[-1]].tolist()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}


def before(params: Params, fold: int = 0) -> Classifier:
    """The network that a training of these params begins with."""
    torch.manual_seed(seed_of(params.train.seed, "init", fold))
    return classifier(params.train)


def learnt_from(params: Params) -> Examples:
    """What fold 0 learns from."""
    return training_set(Stage("train", params)).sides(0)[0]


def followed(params: Params, learn: Examples | None = None) -> list[Progress]:
    """Trains fold 0 from the start and returns where it stood after each epoch."""
    own, valid = training_set(Stage("train", params)).sides(0)
    found: list[Progress] = []
    place = Path("followed.pt")
    place.unlink(missing_ok=True)

    def keep(_: list[dict[str, float]]) -> None:
        stood = Progress.load(place)
        assert stood
        found.append(stood)

    fit(learn or own, valid, params.train, 0, place, keep)
    return found


def gradients(params: Params, learn: Examples) -> dict[str, torch.Tensor]:
    """Of the loss of all pictures at once, at the weights that a training begins with, by parameter."""
    net, cpu = before(params), torch.device("cpu")
    images = to_images(learn.fetched(np.arange(len(learn)), 0), cpu)
    target = target_of(learn.classes, learn.years, cpu)
    Objective(params.train, learn.counts(), cpu).loss(net(images), target).backward()
    return {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
