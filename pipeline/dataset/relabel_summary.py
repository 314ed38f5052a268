"""What corrections and rules did: classes before and after, who said so, and what each correction moved.

Computed from the tables alone, so that a page made of it says the same as the tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from pipeline.labels import CLASS_NAMES, TASKS, classes_of

RULE = "train_class"  # `field` of what a rule changed
DROPPED, NOT_LEARNT = "dropped", "not learnt"  # where photos go that have no class any more
Moves = Mapping[str, tuple[str, str]]  # by image: the class it left, the class it joined


@dataclass(frozen=True)
class Count:
    """Photos and people of one class, or of one answer of a task: (photos, people) at each step.

    A person counts in every class that one of their photos is in.
    """

    name: str
    before: tuple[int, int]
    after: tuple[int, int]
    learnt: tuple[int, int]

    @property
    def changed(self) -> bool:
        return not self.before == self.after == self.learnt


@dataclass(frozen=True)
class Effect:
    """Changes that belong together.

    Args:
        by: who said so: `source` of the corrections, or the rule.
        field: gender, age, mask or drop; `train_class` for a rule.
        person: whose label; empty where the effect sums up several people's.
        named: stems of the photos, where not all of the person's were changed.
        before, after: as in build/relabel.csv; empty where the effect sums up several.
        reason: as in the table of corrections.
        contested: whether a reason or source says that people disagree about it.
        photos, people: how many it changed.
        moves: classes that photos left and joined, most photos first: `(from, to, photos)`.
    """

    by: str
    field: str
    person: str
    named: tuple[str, ...]
    before: str
    after: str
    reason: str
    contested: bool
    photos: int
    people: int
    moves: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Effects:
    """Everything that relabelling did.

    Args:
        photos, people: in the data folder, to train on.
        moved: photos, people with another true class, or dropped.
        dropped: photos that nobody learns from or is validated on any more.
        not_learnt: photos that are validated on but not learnt from.
        counts: by task: class, mask, gender, age.
        sources, rules, corrections: the same changes, summed up in three ways.
    """

    photos: int
    people: int
    moved: tuple[int, int]
    dropped: int
    not_learnt: int
    counts: dict[str, list[Count]]
    sources: list[Effect]
    rules: list[Effect]
    corrections: list[Effect]

    @property
    def contested(self) -> list[Effect]:
        return [c for c in self.corrections if c.contested]


def effects(folder: pd.DataFrame, labels: pd.DataFrame, changes: pd.DataFrame) -> Effects:
    """What became of the data folder's labels.

    Args:
        folder: image, person, gender, age, mask, as the data folder says; a row per photo to train on.
        labels: image, person, true_class, train_class; -1 = not trained on.
        changes: build/relabel.csv: image, person, field, before, after, reason, source; text.
    """
    before = classes_of(folder, folder["age"].to_numpy(np.int64))
    moves = _moves(folder["image"], before, labels)
    moved = {image for image, (left, joined) in moves.items() if left != joined}
    facts, rules = changes[changes["field"] != RULE], changes[changes["field"] == RULE]
    photos = Counter(folder["person"].tolist())
    alike = ["person", "field", "before", "after", "reason", "source"]
    return Effects(
        photos=len(folder),
        people=int(folder["person"].nunique()),
        moved=(len(moved), int(folder.loc[folder["image"].isin(moved), "person"].nunique())),
        dropped=len(folder) - len(labels),
        not_learnt=int((labels["train_class"] < 0).sum()),
        counts={task: _counts(task, folder["person"].to_numpy(), before, labels) for task in TASKS},
        sources=[_effect(rows, moves) for _, rows in facts.groupby(["source", "field"])],
        rules=[_effect(rows, _targets(rows)) for _, rows in rules.groupby("reason")],
        corrections=[_of_one(rows, moves, photos) for _, rows in facts.groupby(alike)],
    )


def _counts(task: str, people: np.ndarray, before: np.ndarray, labels: pd.DataFrame) -> list[Count]:
    learnt = labels[labels["train_class"] >= 0]
    steps = (
        (people, before),
        (labels["person"].to_numpy(), labels["true_class"].to_numpy(np.int64)),
        (learnt["person"].to_numpy(), learnt["train_class"].to_numpy(np.int64)),
    )
    coded = [(who, TASKS[task].code_of(found)) for who, found in steps]
    rows: list[Count] = []
    for code, word in enumerate(TASKS[task].values):
        own = [who[codes == code] for who, codes in coded]
        first, second, third = ((len(who), len(np.unique(who))) for who in own)
        rows.append(Count(word, first, second, third))
    return rows


def _moves(images: pd.Series, before: np.ndarray, labels: pd.DataFrame) -> Moves:
    after = dict(zip(labels["image"], labels["true_class"], strict=True))
    return {
        image: (CLASS_NAMES[code], CLASS_NAMES[after[image]] if image in after else DROPPED)
        for image, code in zip(images, before.tolist(), strict=True)
    }


def _targets(rows: pd.DataFrame) -> Moves:
    """By image, what a rule made of it: its true class, and what is learnt instead."""
    triples = zip(rows["image"], rows["before"].astype(int), rows["after"].astype(int), strict=True)
    return {
        image: (CLASS_NAMES[true], CLASS_NAMES[learnt] if learnt >= 0 else NOT_LEARNT)
        for image, true, learnt in triples
    }


def _effect(rows: pd.DataFrame, moves: Moves) -> Effect:
    first = rows.iloc[0]
    images = sorted(set(rows["image"]))
    found = Counter(moves[image] for image in images if image in moves and moves[image][0] != moves[image][1])
    ruled = first["field"] == RULE
    return Effect(
        by=first["reason"] if ruled else first["source"],
        field=first["field"],
        person="",
        named=(),
        before="",
        after="",
        reason="",
        contested=any("contested" in text.lower() for text in (*rows["reason"], *rows["source"])),
        photos=len(images),
        people=int(rows["person"].nunique()),
        moves=tuple((*pair, n) for pair, n in sorted(found.items(), key=lambda item: (-item[1], item[0]))),
    )


def _of_one(rows: pd.DataFrame, moves: Moves, photos: Mapping[str, int]) -> Effect:
    """A correction; two rows of the table that say the same of two photos are one."""
    first, images = rows.iloc[0], sorted(set(rows["image"]))
    whole = len(images) == photos.get(first["person"])
    return replace(
        _effect(rows, moves),
        person=first["person"],
        named=() if whole else tuple(PurePosixPath(image).stem for image in images),
        before=first["before"],
        after=first["after"],
        reason=first["reason"],
    )
