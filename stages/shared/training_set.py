"""The training set: every picture with its labels and fold, and the two sides of a fold."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.dataset.extra import NO_FOLD
from pipeline.io.image_store import composed_name
from pipeline.labels import mask_of
from pipeline.runtime.errors import UserError
from stages.shared.artefacts import COMPOSED, COPIES, FOLDS, LABELS, SYNTHETIC
from stages.shared.command import Stage
from stages.shared.eye_boxes import require_eyes
from stages.shared.face_numbers import faces_to_append
from stages.shared.pseudo_labels import PseudoLabels, Unlabelled, load_unlabelled
from stages.shared.training_plates import PlateFolder, load_plates

if TYPE_CHECKING:
    from pipeline.train.data import Examples


def training_table(stage: Stage) -> pd.DataFrame:
    """One row per picture: `file, image, person, fold, true_class, train_class, age, synthetic`.

    Photos first, then synthetic pictures, each sorted by file. `file` is relative to its own folder. Extra
    people are in it unless `train.extra_weight` is 0.
    """
    labels = LABELS.read("image", "person", "age", "true_class", "train_class")
    folds = FOLDS.read("person", "fold")
    copy_table = COPIES.read("file", "image")
    people = labels.merge(folds, on="person", how="left", validate="many_to_one").sort_values("image")
    if people["fold"].isna().any():
        missing = people.loc[people["fold"].isna(), "person"].iloc[0]
        raise UserError("a person has no fold", where=FOLDS.path, got=missing, fix="run `dvc repro split`")
    if stage.params.train.extra_weight == 0:
        people = people[people["fold"] != NO_FOLD]
    if stage.limit:
        people = people[people["person"].isin(first_people(people, stage.limit))]
    photos = people.assign(file=[composed_name(i) for i in people["image"]], synthetic=False)
    facts = people[["image", "person", "fold", "age", "true_class", "train_class"]]
    copies = copy_table.sort_values("file").merge(facts, on="image").assign(synthetic=True)
    columns = ["file", "image", "person", "fold", "true_class", "train_class", "age", "synthetic"]
    table = pd.concat([photos[columns], copies[columns]], ignore_index=True)
    return table.astype({"fold": np.int64})


def first_people(people: pd.DataFrame, limit: int) -> set[str]:
    """The first `limit` people of every fold: a quick look needs both sides."""
    names = people.drop_duplicates("person").sort_values("person")
    return set(names.groupby("fold").head(limit)["person"])


def load_examples(table: pd.DataFrame, stage: Stage) -> tuple[Examples, str]:
    """All pictures of the table with their training targets, and a digest of everything."""
    from pipeline.objective.objective import years_to_learn
    from pipeline.train.data import Examples, Pictures, keys_of

    params, arrays, digest = stage.params, [], hashlib.blake2b(digest_size=16)
    for synthetic, folder in ((False, COMPOSED), (True, SYNTHETIC)):
        files = list(table.loc[table["synthetic"] == synthetic, "file"])
        array, content = stage.decoded(folder, files, params.train.size)
        arrays.append(array)
        digest.update(content.encode())
    eyes = require_eyes(list(table["image"]), params)
    digest.update(table.to_csv(index=False).encode("utf-8", "surrogateescape") + eyes.tobytes())
    faces = faces_to_append(params.train, list(table["image"]))  # a synthetic copy shows its photo's face
    digest.update(faces.numbers.tobytes() if faces else b"")
    classes = table["train_class"].to_numpy(np.int64)
    names = [
        f"{'synthetic' if s else 'photo'}/{f}" for f, s in zip(table["file"], table["synthetic"], strict=True)
    ]
    examples = Examples(
        pictures=Pictures(tuple(arrays), faces),
        rows=np.arange(len(table)),
        classes=classes,
        years=years_to_learn(table["age"].to_numpy(np.int64), classes),
        keys=keys_of(names, params.train.seed),
        eyes=eyes,
        alike=alike(table),
        weights=np.where(table["fold"] == NO_FOLD, params.train.extra_weight, 1.0),
    )
    return examples, digest.hexdigest()


def alike(table: pd.DataFrame) -> np.ndarray:
    """int64 [n]: a number for each person, kind of mask and whether the picture is synthetic."""
    mask = np.where(table["train_class"] >= 0, mask_of(table["train_class"].to_numpy(np.int64)), -1)
    return table.assign(mask=mask).groupby(["person", "mask", "synthetic"]).ngroup().to_numpy(np.int64)


def sides(table: pd.DataFrame, examples: Examples, fold: int) -> tuple[Examples, Examples]:
    """Training and validation examples of `fold`; validation has true classes and no synthetic pictures."""
    held = (table["fold"] == fold).to_numpy()
    learn = subset(examples, ~held & (table["train_class"] >= 0).to_numpy())
    valid = subset(examples, held & ~table["synthetic"].to_numpy())
    for name, side in (("train on", learn), ("validate on", valid)):
        if len(side) < 2:
            fix = "take more people, fewer split.folds, or another split.validation_fold"
            raise UserError(
                f"there are too few photos to {name}", where=f"fold {fold}", got=len(side), fix=fix
            )
    truth = table["true_class"].to_numpy(np.int64)[valid.rows]
    return learn, dataclasses.replace(valid, classes=truth)


def subset(examples: Examples, keep: np.ndarray) -> Examples:
    """The examples where bool `keep` [n] holds; the pictures stay where they are."""
    arrays = {
        name: getattr(examples, name)[keep]
        for name in ("rows", "classes", "years", "keys", "eyes", "alike", "weights")
    }
    return dataclasses.replace(examples, **arrays)


@dataclass(frozen=True)
class TrainingSet:
    """All training data; `digest` identifies it."""

    table: pd.DataFrame
    examples: Examples
    plates: PlateFolder | None
    unlabelled: Unlabelled | None
    digest: str

    def sides(self, fold: int, pseudo_labels: PseudoLabels | None = None) -> tuple[Examples, Examples]:
        """Like `sides`, with other backgrounds and pseudo-labels in training only."""
        learn, valid = sides(self.table, self.examples, fold)
        if self.plates is not None:
            learn = dataclasses.replace(learn, plates=self.plates.plates_for(self.table.iloc[learn.rows]))
        if pseudo_labels is not None and self.unlabelled is not None:
            learn = self.unlabelled.add_to(learn, pseudo_labels)
        return learn, valid


def training_set(stage: Stage) -> TrainingSet:
    """The training set of `stage`."""
    table = training_table(stage)  # reports errors in the tables before importing torch takes seconds
    examples, digest = load_examples(table, stage)
    plates = load_plates(stage)
    extra = load_unlabelled(stage)
    whole = digest + (plates.digest if plates else "") + (extra.digest if extra else "")
    return TrainingSet(table, examples, plates, extra, whole)
