"""Artefacts that stages exchange: path, producing stage, and the columns of tables.

Stages read and write tables only by `LABELS.read("image", "age")` and `LABELS.write(path, table)`, and open
folders of pictures by `COMPOSED.open()`. docs/contracts.md describes the content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipeline.io.atomic import verified_folder
from pipeline.io.image_store import ImageStore
from pipeline.io.tables import read_table, write_table
from pipeline.labels import CLASSES
from pipeline.runtime.errors import UserError

BUILD, REPORTS = Path("build"), Path("reports")
TEXT, INT, BOOL, F32, F64 = pa.string(), pa.int64(), pa.bool_(), pa.float32(), pa.float64()


@dataclass(frozen=True)
class Table:
    """A parquet table that one stage writes and others read.

    Args:
        path: in the project.
        stage: the stage that writes it.
        columns: their Arrow types, in order.
    """

    path: Path
    stage: str
    columns: Mapping[str, pa.DataType]

    def read(self, *columns: str) -> pd.DataFrame:
        """These columns, or all of them.

        Raises:
            UserError: the table is missing, unreadable or without one of them; names the stage to run.
        """
        wanted = list(columns or self.columns)
        return read_table(self.path, self.stage, wanted)[wanted]

    def write(self, path: Path, table: pd.DataFrame) -> None:
        """Writes `table` to `path`: the table's own path, below `quick/`, or inside an unfinished folder.

        Raises:
            UserError: columns or types differ from the declaration, which is a bug of the stage.
        """
        got = {field.name: field.type for field in pa.Schema.from_pandas(table, preserve_index=False)}
        right = list(got) == list(self.columns) and all(map(_fits, self.columns.values(), got.values()))
        if not right:
            raise UserError(
                f"stage {self.stage} made a table whose columns differ from its declaration",
                where=path,
                got=", ".join(f"{name} {kind}" for name, kind in got.items()),
                allowed=", ".join(f"{name} {kind}" for name, kind in self.columns.items()),
                fix="correct the stage, or its declaration in stages/shared/artefacts.py",
            )
        write_table(path, table)


def _fits(declared: pa.DataType, got: pa.DataType) -> bool:
    """Whether a column has the declared type; pandas may use large strings, and empty columns have no
    type."""
    return got == declared or pa.types.is_null(got) or (declared == TEXT and got == pa.large_string())


@dataclass(frozen=True)
class Pictures:
    """A folder of pictures, with its manifest."""

    path: Path
    stage: str

    def open(self) -> ImageStore:
        """The pictures by name, after verifying the folder.

        Raises:
            UserError: it is missing, incomplete or changed; names the stage to run.
        """
        return ImageStore.verified(self.path, self.stage)

    def verified(self) -> Path:
        """The folder, after verifying it; raises as `open`."""
        return verified_folder(self.path, self.stage)


_BOX = {"x1": F32, "y1": F32, "x2": F32, "y2": F32}
_PHOTO = {"image": TEXT, "person": TEXT, "split": TEXT, "width": INT, "height": INT, "sha256": TEXT}
_PLACE = {"shard": TEXT, "offset": INT, "bytes": INT}
_LABELS = {"gender": TEXT, "age": INT, "mask": TEXT}
_PROBABILITIES = {f"p{k}": F64 for k in range(CLASSES)}
_TASKS = ("class", "mask", "gender", "age")

INDEX = Table(
    BUILD / "index.parquet",
    "ingest",
    {"image": TEXT, "split": TEXT, "person": TEXT, **_LABELS, "width": INT, "height": INT, "bytes": INT}
    | {"sha256": TEXT, "position": INT},
)
PHOTOS = Table(BUILD / "photos.parquet", "ingest", _PHOTO | _PLACE)
EVAL = Table(BUILD / "eval.parquet", "ingest", {"ImageID": TEXT, "image": TEXT, "position": INT})
LABELS = Table(
    BUILD / "labels.parquet",
    "relabel",
    {"image": TEXT, "person": TEXT, **_LABELS, "true_class": INT, "train_class": INT},
)
FOLDS = Table(BUILD / "folds.parquet", "split", {"person": TEXT, "fold": INT})
BOXES = Table(
    BUILD / "boxes.parquet",
    "detect",
    {"image": TEXT, **_BOX, "score": F32, "status": TEXT, "landmarks": pa.list_(F32)},
)
FACES = Table(
    BUILD / "faces.parquet",
    "faces",
    {"image": TEXT, "network": TEXT, "male": F32, "age": F32, "embedding": pa.list_(F32)},
)
FACE_NETWORKS = REPORTS / "faces.json"
SEGMENTER = BUILD / "segmenter"
MATTES = Pictures(BUILD / "mattes", "segment")
COMPOSED = Pictures(BUILD / "images", "compose")
CROPS = Table(
    COMPOSED.path / "images.parquet",
    "compose",
    {"image": TEXT, "x1": INT, "y1": INT, "x2": INT, "y2": INT, "scale": F64},
)
SYNTHETIC = Pictures(BUILD / "synthetic", "synthesize")
COPIES = Table(
    SYNTHETIC.path / "synthetic.parquet",
    "synthesize",
    {"file": TEXT, "image": TEXT, "person": TEXT, "fold": INT, "donor": TEXT, "train_class": INT},
)
PLATES = Pictures(BUILD / "plates", "plates")
PLATE_TABLE = Table(
    PLATES.path / "plates.parquet",
    "plates",
    {"image": TEXT, "person_seen": BOOL, "left": F64, "top": F64, "right": F64, "bottom": F64}
    | {"donor": TEXT, "donor_person": TEXT},
)
MODEL, LIVE = BUILD / "model", BUILD / "live"
PREDICTIONS = Table(
    REPORTS / "predictions.parquet",
    "evaluate",
    {"image": TEXT, "person": TEXT, "fold": INT, "true_class": INT, "predicted": INT, **_PROBABILITIES},
)
RELIANCE = Table(
    REPORTS / "reliance.parquet",
    "reliance",
    {"image": TEXT, "person": TEXT, "fold": INT, "age": INT, "true_class": INT, "predicted": INT}
    | {"background": F64}
    | {f"{what}_{task}": F64 for what in ("flip_rate", "same_background", "cam_outside") for task in _TASKS},
)
