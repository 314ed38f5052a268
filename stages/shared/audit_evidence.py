"""The audit's input: labels, features and out-of-fold predictions of each photo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.dataset.extra import NO_FOLD
from pipeline.labels import TASKS
from pipeline.runtime.errors import UserError
from pipeline.seeds import seed_of
from stages.shared.artefacts import BOXES, COMPOSED, CROPS, FACE_NETWORKS, FACES, FOLDS, LABELS
from stages.shared.command import Stage

if TYPE_CHECKING:
    from pipeline.analysis.audit.face_networks import Answers

FACTS = ("image", "person", "gender", "age", "mask", "true_class")


@dataclass(frozen=True)
class Evidence:
    """Photos with labels, features, and out-of-fold probabilities by task.

    Args:
        photos: columns FACTS, fold, `person_id` (the person's number) and the geometry of the crop.
        components: float64 [N, C], principal components of the features.
        hashes: uint64 [N, 4].
        p: by task; mask per photo [N, 3], gender and age group per person [P, K].
        codes: by task, the given labels, in the rows of `p`.
        answers: of each face network in build/faces.parquet, about the photos.
    """

    photos: pd.DataFrame
    components: np.ndarray
    hashes: np.ndarray
    p: dict[str, np.ndarray]
    codes: dict[str, np.ndarray]
    answers: Mapping[str, Answers] = field(default_factory=dict)


def photo_table(stage: Stage) -> pd.DataFrame:
    """Photos to train on, by image, with fold, box, crop and the number of their person."""
    labels = LABELS.read(*FACTS)
    folds = FOLDS.read("person", "fold")
    boxes = BOXES.read()
    crops = CROPS.read()
    photos = labels.merge(folds, on="person", validate="many_to_one").sort_values("image")
    people = photos[["person", "fold"]].drop_duplicates()
    first = people.sort_values("fold", key=lambda fold: fold == NO_FOLD, kind="stable")  # extra people last
    photos = photos[photos["person"].isin(list(first["person"])[: stage.limit])]
    table = photos.merge(boxes, on="image").merge(crops, on="image", suffixes=("", "_square"))
    if len(table) != len(photos) or table.empty:
        raise UserError(
            "not every photo has a box and a composed picture",
            where=CROPS.path,
            got=f"{len(table)} of {len(photos)}",
            fix="run `dvc repro compose`",
        )
    return table.assign(person_id=np.unique(table["person"].to_numpy(dtype=str), return_inverse=True)[1])


def gather_evidence(photos: pd.DataFrame, stage: Stage) -> Evidence:
    """Features and out-of-fold probabilities of every photo."""
    from pipeline.analysis.audit.face import face_matrix
    from pipeline.analysis.audit.features import Task, describe
    from pipeline.analysis.audit.out_of_fold import reduced
    from pipeline.io.image_store import composed_name

    audit, pictures = stage.params.audit, COMPOSED.open()
    boxes = photos[["x1", "y1", "x2", "y2"]].to_numpy(np.float64).tolist()
    squares = photos[[f"{c}_square" for c in ("x1", "y1", "x2", "y2")]].to_numpy(np.float64).tolist()
    facts = zip(photos["image"], boxes, photos["landmarks"], squares, photos["scale"], strict=True)
    tasks = [
        Task(composed_name(image), face_matrix(box, list(marks), square, scale, audit.size))
        for image, box, marks, square, scale in facts
    ]
    description = describe(pictures, tasks, audit, stage.params.machine)
    components = reduced(description.features, seed_of(audit.seed, "components"))
    answers = read_answers(list(photos["image"]))
    by_task = {
        name: predict_out_of_fold(name, components, answers, photos, audit.l2)
        for name in ("mask", "gender", "age")
    }
    p, codes = ({name: pair[k] for name, pair in by_task.items()} for k in (0, 1))
    return Evidence(photos, components, description.hashes, p, codes, answers)


def read_answers(images: list[str]) -> dict[str, Answers]:
    """By network, what build/faces.parquet says about these photos; {} without networks.

    Raises:
        UserError: a photo is missing in it.
    """
    from pipeline.analysis.audit.face_networks import Answers

    answers: dict[str, Answers] = {}
    for network, rows in FACES.read().groupby("network", sort=False):
        table = rows.set_index("image").reindex(images)
        if table["network"].isna().any():
            missing = table.index[table["network"].isna()][0]
            raise UserError(
                "a photo was not looked at", where=FACES.path, got=missing, fix="run `dvc repro faces`"
            )
        male, age = (table[name].to_numpy(np.float64) for name in ("male", "age"))
        answers[str(network)] = Answers(male, age, np.stack(table["embedding"].tolist()))
    return answers


def read_face_networks() -> list[dict[str, Any]]:
    """Names of the face networks, and what their weights were trained on, as `faces` says."""
    try:
        return json.loads(FACE_NETWORKS.read_text(encoding="utf-8"))["networks"]
    except (OSError, ValueError, KeyError) as e:
        raise UserError(
            "the names of the face networks cannot be read",
            where=FACE_NETWORKS,
            got=str(e),
            fix="run `dvc repro faces`",
        ) from e


def predict_out_of_fold(
    task: str, components: np.ndarray, answers: Mapping[str, Answers], photos: pd.DataFrame, l2: float
) -> tuple[np.ndarray, np.ndarray]:
    """Out-of-fold probabilities and the given labels; see Evidence.

    Gender and age are judged by the face networks alone where there are any: the plain descriptors know less.
    """
    from pipeline.analysis.audit.face_networks import judged, least_covered, views_of
    from pipeline.analysis.audit.out_of_fold import out_of_fold, pooled, sharpened

    person_ids, folds = photos["person_id"].to_numpy(), photos["fold"].to_numpy()
    given = TASKS[task].code_of(photos["true_class"].to_numpy(np.int64))
    first = np.unique(person_ids, return_index=True)[1]
    if answers and task != "mask":
        rows = least_covered(photos["mask"].tolist(), person_ids)
        views = views_of(task, answers, rows)
        return judged(views, given[first], folds[first], TASKS[task].size), given[first]
    p = out_of_fold(components, given, folds, TASKS[task].size, l2)
    if task == "mask":
        return sharpened(p, given), given
    return sharpened(pooled(p, person_ids, len(first)), given[first]), given[first]
