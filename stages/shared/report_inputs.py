"""Reading what other stages wrote, for the report; what is missing names its stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.analysis.report.page import as_source
from pipeline.io.photo import encode_jpeg, read_photo
from pipeline.runtime.errors import UserError


def read_json(path: Path, stage: str) -> dict[str, Any]:
    """A JSON file that `stage` wrote."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise UserError(
            "an input file cannot be read", where=path, got=str(e), fix=f"run `dvc repro {stage}`"
        ) from e


def read_csv(path: Path, stage: str) -> pd.DataFrame:
    """A CSV table for people that `stage` wrote; all text."""
    return pd.read_csv(_there(path, stage), dtype=str, keep_default_na=False)


def picture(path: Path, stage: str) -> str:
    """A picture that `stage` drew, as a data URI."""
    return as_source(_there(path, stage).read_bytes())


def photo_sheet(path: Path, stage: str) -> str:
    """A sheet of photos that `stage` drew, as a data URI: a JPEG, of half the bytes."""
    return as_source(encode_jpeg(read_photo(_there(path, stage))))


def _there(path: Path, stage: str) -> Path:
    if not path.is_file():
        raise UserError("an input file is missing", where=path, fix=f"run `dvc repro {stage}`")
    return path
