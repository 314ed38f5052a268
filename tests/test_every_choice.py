"""Every stage, for every value of the choices that shape pictures, with warnings as errors inside the stages.

A slice of the demo and a person whose photos show nothing (black, white, one colour, transparent) are
prepared once; a choice then runs what dvc.yaml says that it touches, in this process, so that pytest's filter
reaches into the stages.
"""

from __future__ import annotations

import importlib
import io
import shutil
import sys
from collections.abc import Iterable
from contextlib import chdir, redirect_stderr
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from demo.dataset import Params, write_demo
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from tests.conftest import ROOT
from tests.fixtures.trained_demo import copy_inputs

SLICE = Params(seed=7, people=12, eval_people=1, size=(192, 256))
FLAT = "000900_female_Flat_60"
SMALL: dict[str, dict[str, Any]] = {
    "ingest": {"max_quarantine": 0.5},
    "split": {"folds": 2, "seed": 0},
    "fit_segmenter": {"size": 64, "epochs": 1},
    "compose": {"size": 48},
    "synthesize": {"folder": "walls", "copies": 0.3},
    "train": {"model": "test_resnet", "size": 32, "epochs": 1, "device": "cpu", "precision": "f32"},
    "evaluate": {"bootstrap": 100},
    "reliance": {"max_people": 4},
    "audit": {"bootstrap": 100},
    "explore": {"bootstrap": 100},
    "machine": {"workers": 1},  # in this process
}
NO_MATTES = {"segment.method": "none", "compose.fill": "keep", "synthesize.copies": 0}


def parts(folder: str, param: str) -> list[dict[str, Any]]:
    """`param` with each name that a folder of parts offers."""
    (place,) = (ROOT / "pipeline").glob(folder)
    return [{param: p.stem} for p in sorted(place.glob("[a-z]*.py"))]


CHOICES: list[dict[str, Any]] = [
    *parts("**/fills", "compose.fill"),
    {"detect.method": "none", "compose.fill": "black"},
    {"detect.method": "retinaface", "detect.reject_implausible": False},
    {"detect.method": "yolov8", "compose.fill": "mean", "compose.margin": 0.0},
    NO_MATTES,
    NO_MATTES | {"detect.method": "none"},
    {"reliance.backgrounds": "procedural", "compose.fill": "noise", "compose.margin": 3.0},
    *({"train.background_swap": 1.0} | part for part in parts("**/backgrounds", "synthesize.backgrounds")),
    {"synthesize.balance": "class", "synthesize.copies": 2.0},
    {"data.shards": 10, "compose.fill": "black", "compose.margin": 0.0},
]


SECTIONS = ("data", "relabel", "split", "fit_segmenter")  # from here, all runs


def named(choice: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in choice.items())


def graph() -> dict[str, dict[str, Any]]:
    """The stages of dvc.yaml."""
    return parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def made_by(stage: dict[str, Any]) -> list[str]:
    made = [o for kind in ("outs", "metrics", "plots") for o in stage.get(kind, [])]
    return [o if isinstance(o, str) else next(iter(o)) for o in made]


def reads_from(stages: dict[str, dict[str, Any]]) -> dict[str, set[str]]:
    """For each stage the stages whose outputs it reads."""

    def holds(a: str, b: str) -> bool:
        return PurePosixPath(a).is_relative_to(b) or PurePosixPath(b).is_relative_to(a)

    return {
        name: {
            other
            for other, facts in stages.items()
            if other != name and any(holds(dep, out) for dep in stage["deps"] for out in made_by(facts))
        }
        for name, stage in stages.items()
    }


def touched(params: Iterable[str]) -> list[str]:
    """The stages that run again where these params change, in an order that they can run in."""
    stages = graph()
    reads = reads_from(stages)
    again: set[str] = set()
    order = list(TopologicalSorter(reads).static_order())
    for name in order:
        own = any(f"{p}.".startswith(f"{section}.") for p in params for section in stages[name]["params"])
        if own or reads[name] & again:
            again.add(name)
    return [name for name in order if name in again]


def write_params(changes: dict[str, Any]) -> None:
    """params.yaml of the slice with `section.param` changed."""
    path = Path("params.yaml")
    raw = parse_yaml(path.read_text(encoding="utf-8"))
    for section, values in SMALL.items():
        raw[section] |= values
    for name, value in changes.items():
        section, param = name.split(".")
        raw[section][param] = value
    path.write_text(yaml_text(raw), encoding="utf-8")


def run_stage(name: str) -> None:
    """The stage's command line; fails the test with its traceback where it fails."""
    module = importlib.import_module(f"stages.{name}")
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stderr(said):
        monkeypatch.setattr(sys, "argv", [name, "--debug"])
        with pytest.raises(SystemExit) as end:
            module.stage_command(name, module.run, module.__doc__ or "")
    assert end.value.code == 0, f"{name}: {said.getvalue()}"


def draw_flat_photos(data: Path) -> None:
    """A person, seven photos that show nothing, and what to predict of the same kind; opaque mattes."""
    pictures = {
        "mask1.jpg": Image.new("RGB", (96, 128), "black"),
        "mask2.jpg": Image.new("RGB", (96, 128), "white"),
        "mask3.png": Image.new("RGBA", (96, 128), (0, 0, 0, 0)),
        "mask4.png": Image.new("RGB", (128, 96), (200, 30, 30)),
        "mask5.png": Image.new("L", (96, 128), 1),
        "incorrect_mask.jpg": Image.new("RGB", (40, 400), (255, 255, 254)),
        "normal.png": Image.fromarray(np.indices((128, 96)).sum(axis=0).astype(np.uint8) % 2 * 255),
    }
    place = data / "train/images" / FLAT
    place.mkdir()
    for name, picture in pictures.items():
        picture.save(place / name)
    info = pd.read_csv(data / "eval/info.csv")
    pictures["mask1.jpg"].save(data / "eval/images/black.jpg")
    pictures["mask3.png"].save(data / "eval/images/glass.png")
    info.loc[len(info)] = ["black.jpg", 0]
    info.loc[len(info)] = ["glass.png", 0]
    info.to_csv(data / "eval/info.csv", index=False)
    table = pd.read_csv(data / "train/train.csv", dtype=str)
    table.loc[len(table)] = [*FLAT.split("_"), FLAT]
    table.to_csv(data / "train/train.csv", index=False)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slice, and what every stage makes of it with the params of the project."""
    place = tmp_path_factory.mktemp("every_choice")
    with chdir(place):
        write_demo(Path("demo"), SLICE, workers=1)
        draw_flat_photos(Path("demo/data"))
        Path("walls").mkdir()
        for colour in ("black", "white"):
            Image.new("RGB", (64, 48), colour).save(f"walls/{colour}.png")
        copy_inputs()
        write_params({})
        for name in touched(SECTIONS):
            run_stage(name)
    return place


@pytest.mark.parametrize("choice", CHOICES, ids=named)
def test_every_stage_runs_without_a_warning(
    prepared: Path, tmp_path: Path, request: pytest.FixtureRequest, choice: dict[str, Any]
) -> None:
    if choice.get("detect.method") == "yolov8":
        weights = request.getfixturevalue("test_data").parent / "weights/yolov8n.pt"
        choice = choice | {"detect.yolov8": {"weights": str(weights)}}
    folder = tmp_path / "project"
    shutil.copytree(prepared, folder)
    with chdir(folder):
        write_params(choice)
        for name in touched(choice):
            run_stage(name)
        assert len(pd.read_csv("reports/submission.csv")) == 9
        assert set(pd.read_parquet("build/labels.parquet")["person"]) >= {FLAT}


def test_what_a_choice_touches_is_what_dvc_would_run() -> None:
    assert "report" in touched(["audit.seed"])
    assert not set(touched(["compose.fill"])) & {"ingest", "detect", "segment", "explore"}
    assert set(touched(SECTIONS)) == set(graph())
