"""The report's data sections: ingest, label changes, exploration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.analysis.report import tables
from pipeline.analysis.report.page import as_source
from pipeline.dataset.relabel_summary import summarize_effects
from pipeline.io.atomic import verified_folder
from pipeline.io.photo import encode_jpeg, read_photo
from pipeline.labels import CLASS_NAMES
from pipeline.runtime.errors import UserError
from stages.shared.artefacts import FACE_NETWORKS, INDEX, LABELS

BUILD, REPORTS = Path("build"), Path("reports")
FIGURES = {
    "labels": "Photos of each class, people by gender and age group, photos by mask",
    "ages": "People of each age; orange: next to a bound",
    "quality": "Brightness, sharpness and how much of a photo is person",
    "background": "What the background alone tells",
}


def data_facts() -> dict[str, Any]:
    """Facts about ingest, label changes and detection."""
    columns = ("image", "split", "person", "gender", "age", "mask", "sha256", "width", "height")
    index = INDEX.read(*columns)
    detect = read_details(REPORTS / "detect.json", "detect")
    labels = LABELS.read("image", "person", "true_class", "train_class")
    relabel = read_csv(BUILD / "relabel.csv", "relabel")
    split = [(name, detect[name]) for name in ("train", "eval") if sum(detect.get(name, {}).values())]
    return {
        "data": tables.summarize_data(index, read_csv(BUILD / "quarantine.csv", "ingest")),
        "changes": tables.changes(relabel),
        "effects": summarize_effects(index[index["split"] == "train"], labels, relabel),
        "detected": [
            {"split": name, "counts": [(s.replace("_", " "), n) for s, n in counts.items() if n]}
            for name, counts in split
        ],
        "face_networks": read_json(FACE_NETWORKS, "faces")["networks"],
    }


def explored_facts() -> dict[str, Any]:
    """Numbers, figures and contact sheets of `explore`."""
    folder = verified_folder(REPORTS / "explore", "explore")
    figures = [
        {"title": title, "picture": picture(folder / f"{name}.png", "explore")}
        for name, title in FIGURES.items()
    ]
    sheets = [
        {"title": CLASS_NAMES[int(file.stem)], "picture": picture(file, "explore")}
        for file in sorted((folder / "sheets").glob("*.jpg"))
    ]
    return {
        "explored": read_json(REPORTS / "explore.json", "explore"),
        "explore_figures": figures,
        "explore_sheets": sheets,
    }


def read_distribution() -> dict[str, Any] | None:
    """`predict`'s report about the photos without labels; None if there are none."""
    distribution = read_json(REPORTS / "predict.json", "predict")
    return distribution if distribution["photos"] else None


def read_json(path: Path, stage: str) -> dict[str, Any]:
    """A JSON file that `stage` wrote."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise UserError(
            "an input file cannot be read", where=path, got=str(e), fix=f"run `dvc repro {stage}`"
        ) from e


def read_details(path: Path, stage: str) -> dict[str, Any]:
    """Details of a stage's report; see `pipeline.io.atomic.write_report`."""
    return read_json(path, stage)["details"][0]


def read_csv(path: Path, stage: str) -> pd.DataFrame:
    """A CSV table for people that `stage` wrote; all text."""
    return pd.read_csv(_require_file(path, stage), dtype=str, keep_default_na=False)


def picture(path: Path, stage: str) -> str:
    """A picture that `stage` drew, as a data URI."""
    return as_source(_require_file(path, stage).read_bytes())


def photo_sheet(path: Path, stage: str) -> str:
    """A sheet of photos that `stage` drew, as a data URI: a JPEG, of half the bytes."""
    return as_source(encode_jpeg(read_photo(_require_file(path, stage))))


def _require_file(path: Path, stage: str) -> Path:
    if not path.is_file():
        raise UserError("an input file is missing", where=path, fix=f"run `dvc repro {stage}`")
    return path
