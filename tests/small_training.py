"""Training on the small set, and what came of it."""

from __future__ import annotations

import os

import pandas as pd
import torch
from safetensors.torch import load_file

from pipeline.params import Params
from stages import train
from stages.command import Stage
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
