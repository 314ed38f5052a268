"""A repository with every stage of dvc.yaml, real networks among them, on a few people of the demo."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from demo.dataset import Params, write_demo
from tests.conftest import ROOT
from tests.reliability.repository import add_code

PEOPLE, TO_PREDICT = 14, 2  # the demo plants its errors at 12 people
SIZE = (192, 256)
SMALL = {
    "data": {"root": "photos"},
    "ingest": {"max_quarantine": 1.0},
    "split": {"folds": 2, "validation_fold": 1},
    "fit_segmenter": {"photos": "photos", "mattes": "mattes", "size": 64, "epochs": 1},
    "compose": {"size": 64},
    "train": {"size": 32, "epochs": 2, "batch_size": 32, "device": "cpu", "precision": "f32"},
    "evaluate": {"bootstrap": 100},
    "reliance": {"swaps": 1, "people": 4},
    "audit": {"bootstrap": 100, "size": 48},
    "explore": {"bootstrap": 100, "sheet_photos": 2},
    "machine": {"workers": 2},
}


def network_stages() -> tuple[str, ...]:
    """Every stage of dvc.yaml, in the order of the file."""
    return tuple(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])


def make_network_repository(folder: Path) -> Path:
    """Such a repository below `folder`, nothing of it run; it needs no weights but those in packages."""
    folder.mkdir(parents=True)
    write_demo(folder, Params(7, PEOPLE, TO_PREDICT, SIZE), workers=1)
    shutil.rmtree(folder / "truth")
    (folder / "data").rename(folder / "photos")
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, values in SMALL.items():
        raw[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    (folder / "data").mkdir()
    for name in ("corrections.csv", "reviewed.csv"):
        header = (ROOT / "data" / name).read_text(encoding="utf-8").splitlines()[0]
        (folder / "data" / name).write_text(header + "\n", encoding="utf-8")
    add_code(folder, network_stages(), ignored=("/photos/", "/mattes/"))
    return folder
