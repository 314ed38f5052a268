"""Data folders for tests: small, real pictures in either layout, and the label stages run on them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.params import Params
from stages import ingest, relabel, split
from stages.command import Stage

STEMS = ("mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal")
ANNA = "000001_female_Asian_45"
BERT = "000002_male_Asian_59"


@cache
def picture(suffix: str = ".jpg", width: int = 12, height: int = 16) -> bytes:
    """A small photo-like picture, the same bytes each time."""
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG" if suffix == ".png" else "JPEG")
    return out.getvalue()


def add_person(root: Path, name: str, suffix: str = ".jpg", stems: Iterable[str] = STEMS) -> Path:
    """Adds a person's folder with a photo per stem."""
    folder = root / "train" / "images" / name
    folder.mkdir(parents=True)
    for stem in stems:
        (folder / f"{stem}{suffix}").write_bytes(picture(suffix))
    return folder


def add_eval(root: Path, names: Iterable[str], listed: Iterable[str] | None = None) -> None:
    """Adds photos to predict and, unless `listed` is empty, the table that lists them."""
    folder = root / "eval" / "images"
    folder.mkdir(parents=True)
    names = list(names)
    for name in names:
        (folder / name).write_bytes(picture())
    rows = names if listed is None else list(listed)
    if rows:
        (root / "eval" / "info.csv").write_text("ImageID,ans\n" + "".join(f"{n},0\n" for n in rows))


def stage(name: str, root: Path, limit: int | None = None, **sections: dict[str, object]) -> Stage:
    """A stage on `root` with the defaults of params.yaml; a small folder may have many bad files."""
    values: dict[str, object] = {
        **sections,
        "data": {"root": str(root), **sections.get("data", {})},
        "ingest": {"max_quarantine": 1.0, **sections.get("ingest", {})},
        "machine": {"workers": 1, **sections.get("machine", {})},
    }
    return Stage(name, Params.model_validate(values), limit)


def run_ingest(root: Path, limit: int | None = None, **sections: dict[str, object]) -> pd.DataFrame:
    """Runs ingest in the current folder and returns the index."""
    ingest.run(stage("ingest", root, limit, **sections))
    return pd.read_parquet("quick/build/index.parquet" if limit else "build/index.parquet")


def run_relabel(root: Path, limit: int | None = None, **rules: object) -> pd.DataFrame:
    """Runs relabel in the current folder and returns the labels."""
    relabel.run(stage("relabel", root, limit, relabel=rules))
    return pd.read_parquet("quick/build/labels.parquet" if limit else "build/labels.parquet")


def run_split(root: Path, limit: int | None = None, **params: object) -> pd.DataFrame:
    """Runs split in the current folder and returns the folds."""
    split.run(stage("split", root, limit, split=params))
    return pd.read_parquet("quick/build/folds.parquet" if limit else "build/folds.parquet")


def quarantine() -> dict[str, str]:
    """Path -> reason, from the quarantine in the current folder."""
    table = pd.read_csv("build/quarantine.csv", dtype=str, keep_default_na=False)
    return dict(zip(table["path"], table["reason"], strict=True))
