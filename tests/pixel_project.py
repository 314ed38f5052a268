"""A small project after ingest, relabel, split, detect and segment: drawn people, boxes and true mattes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import yaml

from pipeline.params import Params
from pipeline.photo import encode_jpeg, encode_matte
from pipeline.publish import published_folder
from pipeline.seeds import generator
from pipeline.tables import write_table
from stages.command import Stage

WIDTH, HEIGHT = 96, 128


def drawn(name: str, skin: tuple[int, int, int], wall: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A head and shoulders on a wall: uint8 [128, 96, 3] RGB and alpha, uint8 [128, 96], with soft edges."""
    x = int(generator(0, name).integers(-8, 9)) + WIDTH // 2
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(alpha, (x, 50), 22, 255, -1)
    cv2.ellipse(alpha, (x, 128), (36, 50), 0, 0, 360, 255, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.2)
    share = alpha[..., None] / 255.0
    picture = np.rint(share * np.array(skin) + (1 - share) * np.array(wall)).astype(np.uint8)
    return picture, alpha


def person_of(number: int) -> tuple[str, str]:
    """Folder and gender of a person."""
    gender = "female" if number % 2 else "male"
    return f"{number:06d}_{gender}_Asian_{25 + number}", gender


def make_project(
    folder: Path, people: int = 6, photos: int = 3, folds: int = 2, statuses: tuple[str, ...] = ("found",)
) -> None:
    """Writes data/, build/ and params.yaml below `folder`; a photo's wall has the colour of its fold."""
    rows: list[dict[str, Any]] = []
    with published_folder(folder / "build/mattes") as mattes:
        for number in range(people):
            name, gender = person_of(number)
            for k in range(photos):
                image = f"train/images/{name}/mask{k + 1}.jpg"
                wall = (200, 40, 40) if number % folds == 0 else (40, 40, 200)
                picture, alpha = drawn(image, (120 + 15 * number % 100, 120, 90), wall)
                for path, data in (
                    (folder / "data" / image, encode_jpeg(picture)),
                    ((mattes / image).with_suffix(".png"), encode_matte(alpha)),
                ):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                head = cv2.boundingRect(cv2.inRange(alpha[:72], 128, 255))
                status = statuses[len(rows) % len(statuses)]
                box = (0, 0, WIDTH, HEIGHT) if status in ("whole_frame", "not_asked") else to_xyxy(head)
                rows.append(
                    {"image": image, "person": name, "gender": gender, "number": number} | facts(box, status)
                )
    table = pd.DataFrame(rows).sort_values("image", ignore_index=True)
    write_tables(folder / "build", table, folds)
    write_params(folder)


def to_xyxy(rectangle: Any) -> tuple[int, int, int, int]:
    """x, y, width, height → x1, y1, x2, y2."""
    x, y, width, height = (int(v) for v in rectangle)
    return x, y, x + width, y + height


def facts(box: tuple[int, int, int, int], status: str) -> dict[str, Any]:
    """The columns of boxes.parquet."""
    corners = dict(zip(("x1", "y1", "x2", "y2"), map(float, box), strict=True))
    score = 0.9 if status == "found" else float("nan")
    return {**corners, "score": score, "status": status, "landmarks": []}


def write_tables(build: Path, table: pd.DataFrame, folds: int) -> None:
    """The tables of the stages before, from one row per photo."""
    photos = table[["image", "person"]].assign(split="train", width=WIDTH, height=HEIGHT, sha256="0" * 64)
    write_table(build / "photos.parquet", photos)
    write_table(
        build / "boxes.parquet", table[["image", "x1", "y1", "x2", "y2", "score", "status", "landmarks"]]
    )
    labels = table[["image", "person", "gender"]].assign(
        age=25 + table["number"], mask="worn", true_class=table["number"] % 4, train_class=table["number"] % 4
    )
    write_table(build / "labels.parquet", labels)
    people = table[["person", "number"]].drop_duplicates()
    write_table(build / "folds.parquet", people[["person"]].assign(fold=people["number"] % folds))


def write_params(folder: Path) -> None:
    """The params that the small project wants."""
    raw = {"data": {"root": "data"}, "compose": {"size": 64}, "machine": {"workers": 1}}
    (folder / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")


def stage(name: str, **changes: Any) -> Stage:
    """A stage with params.yaml of the current folder and `section__param=value` changed."""
    raw = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        section, param = key.split("__")
        raw.setdefault(section, {})[param] = value
    return Stage(name, Params.model_validate(raw))


def bytes_below(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its relative name."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }
