"""Repositories with stages that run networks: every stage of dvc.yaml, or few and small ones."""

from __future__ import annotations

import shutil
from pathlib import Path

from demo.dataset import Params, write_demo
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from tests.conftest import ROOT
from tests.fixtures.tiny_unet import write_tiny
from tests.reliability.repository import add_code, add_data, write_params

FEW = ("ingest", "relabel", "split", "faces", "segment", "compose", "synthesize", "plates", "train")
PEOPLE, TO_PREDICT = 12, 2  # the demo plants its errors at 12 people
SIZE = (144, 192)
TINY_TRAIN = {
    "model": "test_resnet",
    "size": 32,
    "epochs": 2,
    "batch_size": 32,
    "device": "cpu",
    "precision": "f32",
}
SMALL = {
    "data": {"root": "photos"},
    "ingest": {"max_quarantine": 1.0},
    "split": {"folds": 2, "validation_fold": 1},
    "fit_segmenter": {
        "photos": "photos",
        "mattes": "mattes",
        "encoder": "tu-mobilenetv3_small_050",
        "encoder_weights": None,
        "size": 64,
        "epochs": 1,
    },
    "compose": {"size": 64},
    "train": TINY_TRAIN,
    "evaluate": {"bootstrap": 100},
    "reliance": {"backgrounds_per_photo": 1, "max_people": 4},
    "audit": {"bootstrap": 100, "size": 48},
    "explore": {"bootstrap": 100, "permutations": 100, "sheet_photos": 2},
    "machine": {"workers": 2},
}


def network_stages() -> tuple[str, ...]:
    """Every stage of dvc.yaml, in the order of the file."""
    return tuple(parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])


def make_small_network_repository(folder: Path) -> Path:
    """The stages from `ingest` to `train` below `folder`, nothing of them run.

    Boxes and an untrained U-Net are there as plain files, so that no other network is needed.
    """
    add_data(folder, people=6, photos=3)
    shutil.rmtree(folder / "build/mattes")
    write_tiny(folder / "build/segmenter")
    write_params(folder, **{f"train__{k}": v for k, v in TINY_TRAIN.items()})
    add_code(folder, FEW, ("/data/",))
    return folder


def make_network_repository(folder: Path) -> Path:
    """Every stage below `folder` on a few people of the demo, nothing of it run; needs no weights but those
    in packages.
    """
    folder.mkdir(parents=True)
    write_demo(folder, Params(7, PEOPLE, TO_PREDICT, SIZE), workers=1)
    shutil.rmtree(folder / "truth")
    (folder / "data").rename(folder / "photos")
    raw = parse_yaml((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, values in SMALL.items():
        raw[section] |= values
    (folder / "params.yaml").write_text(yaml_text(raw), encoding="utf-8")
    (folder / "data").mkdir()
    for name in ("corrections.csv", "reviewed.csv", "folds.csv"):
        header = (ROOT / "data" / name).read_text(encoding="utf-8").splitlines()[0]
        (folder / "data" / name).write_text(header + "\n", encoding="utf-8")
    add_code(folder, network_stages(), ignored=("/photos/", "/mattes/"))
    return folder
