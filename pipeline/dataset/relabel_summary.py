"""Effects of corrections and rules: classes before and after, by source and by correction.

Computed from the written tables alone, so that the page agrees with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from pipeline.labels import CLASS_NAMES, TASKS, classes_of

RULE = "train_class"  # `field` of a change by a rule
DROPPED, NOT_LEARNT = "dropped", "not learnt"  # in place of a class
Moves = Mapping[str, tuple[str, str]]  # image -> (old class, new class)


@dataclass(frozen=True)
class Count:
    """(photos, people) of one class of a task, at each step.

    A person counts in every class of their photos.
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
    """A group of changes.

    Args:
        by: `source` of the corrections, or the rule.
        field: gender, age, mask or drop; `train_class` for a rule.
        person: empty if the effect covers several people.
        named: stems of the changed photos; empty if all of the person's changed.
        before, after: as in build/relabel.csv; empty if the effect covers several changes.
        reason: as in the table of corrections.
        contested: whether a reason or source says "contested".
        photos, people: how many changed.
        moves: `(old class, new class, photos)`, most photos first.
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
    """All effects of relabelling.

    Args:
        photos, people: with labels in the data folder.
        moved: photos, people that changed true class or were dropped.
        dropped: photos used neither in training nor in validation.
        not_learnt: photos used in validation but not in training.
        counts: by task: class, mask, gender, age.
        sources, rules, corrections: the same changes, grouped in three ways.
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


def summarize_effects(folder: pd.DataFrame, labels: pd.DataFrame, changes: pd.DataFrame) -> Effects:
    """Compares the labels of the data folder with the corrected ones.

    Args:
        folder: image, person, gender, age, mask, from the data folder; a row per labelled photo.
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
    coded = [(pd.factorize(ids)[0], TASKS[task].code_of(classes)) for ids, classes in steps]
    rows: list[Count] = []
    for code, word in enumerate(TASKS[task].values):
        own = [ids[codes == code] for ids, codes in coded]
        first, second, third = ((len(ids), len(np.unique(ids))) for ids in own)
        rows.append(Count(word, first, second, third))
    return rows


def _moves(images: pd.Series, before: np.ndarray, labels: pd.DataFrame) -> Moves:
    after = dict(zip(labels["image"], labels["true_class"], strict=True))
    return {
        image: (CLASS_NAMES[code], CLASS_NAMES[after[image]] if image in after else DROPPED)
        for image, code in zip(images, before.tolist(), strict=True)
    }


def _targets(rows: pd.DataFrame) -> Moves:
    """Image -> (true class, training target) of the photos that a rule changed."""
    triples = zip(rows["image"], rows["before"].astype(int), rows["after"].astype(int), strict=True)
    return {
        image: (CLASS_NAMES[true], CLASS_NAMES[learnt] if learnt >= 0 else NOT_LEARNT)
        for image, true, learnt in triples
    }


def _effect(rows: pd.DataFrame, moves: Moves) -> Effect:
    first = rows.iloc[0]
    images = sorted(set(rows["image"]))
    counts = Counter(
        moves[image] for image in images if image in moves and moves[image][0] != moves[image][1]
    )
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
        moves=tuple((*pair, n) for pair, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
    )


def _of_one(rows: pd.DataFrame, moves: Moves, photos: Mapping[str, int]) -> Effect:
    """The effect of one correction; equal rows about two photos count as one."""
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
