"""The audit's input: labels, features and out-of-fold predictions of each photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.labels import TASKS
from pipeline.runtime.errors import UserError
from pipeline.seeds import seed_of
from stages.shared.artefacts import BOXES, COMPOSED, CROPS, FOLDS, LABELS
from stages.shared.command import Stage

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
    """

    photos: pd.DataFrame
    components: np.ndarray
    hashes: np.ndarray
    p: dict[str, np.ndarray]
    codes: dict[str, np.ndarray]


def photo_table(stage: Stage) -> pd.DataFrame:
    """Photos to train on, by image, with fold, box, crop and the number of their person."""
    labels = LABELS.read(*FACTS)
    folds = FOLDS.read("person", "fold")
    boxes = BOXES.read()
    crops = CROPS.read()
    photos = labels.merge(folds, on="person", validate="many_to_one").sort_values("image")
    photos = photos[photos["person"].isin(list(photos["person"].drop_duplicates())[: stage.limit])]
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
    description = describe(pictures, tasks, audit, stage.params.machine.workers)
    components = reduced(description.features, seed_of(audit.seed, "components"))
    by_task = {
        name: predict_out_of_fold(name, components, photos, audit.l2) for name in ("mask", "gender", "age")
    }
    p, codes = ({name: pair[k] for name, pair in by_task.items()} for k in (0, 1))
    return Evidence(photos, components, description.hashes, p, codes)


def predict_out_of_fold(
    task: str, components: np.ndarray, photos: pd.DataFrame, l2: float
) -> tuple[np.ndarray, np.ndarray]:
    """Out-of-fold probabilities and the given labels; see Evidence."""
    from pipeline.analysis.audit.out_of_fold import out_of_fold, pooled, sharpened

    person_ids, folds = photos["person_id"].to_numpy(), photos["fold"].to_numpy()
    given = TASKS[task].code_of(photos["true_class"].to_numpy(np.int64))
    p = out_of_fold(components, given, folds, TASKS[task].size, l2)
    if task == "mask":
        return sharpened(p, given), given
    first = np.unique(person_ids, return_index=True)[1]
    return sharpened(pooled(p, person_ids, len(first)), given[first]), given[first]
