"""The list of suspects: what the model doubts and what rules find, most certain first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from cleanlab.rank import get_label_quality_scores

from pipeline import labels
from pipeline.dataset.corrections import names_photo
from pipeline.dataset.corrections_table import ReviewedLabel
from pipeline.io.spelling import nfc
from pipeline.labels import TASKS

COLUMNS = ("rank", "person", "image", "field", "old", "proposed", "confidence", "why")
NEAR = 1  # years from a bound that are next to it


@dataclass(frozen=True)
class Suspect:
    """One label in doubt; `image` "" = all of the person's photos; `confidence` that it is wrong, [0, 1]."""

    person: str
    image: str
    field: str
    old: str
    proposed: str
    confidence: float
    why: str


@dataclass(frozen=True)
class Answers:
    """What the model says about one task.

    Args:
        task: mask, gender or age.
        p: out-of-fold probabilities, [N, K]: a row per photo for mask, per person for the others.
        codes: int [N], the given labels.
        people: N names.
        images: N keys, or "" for all of a person's photos.
        said: N values as the tables have them (an age is in years).
    """

    task: str
    p: np.ndarray
    codes: np.ndarray
    people: Sequence[str]
    images: Sequence[str]
    said: Sequence[str]


def doubted(answers: Answers, least: float) -> list[Suspect]:
    """Labels that the model thinks wrong with at least `least`: one minus cleanlab's label quality."""
    quality = get_label_quality_scores(answers.codes, answers.p, method="self_confidence")
    guess = np.where(np.arange(answers.p.shape[1]) == answers.codes[:, None], -1, answers.p).argmax(axis=1)
    words = TASKS[answers.task].values  # noqa: PD011
    found: list[Suspect] = []
    for row in np.flatnonzero(1 - quality >= least).tolist():
        said, proposed = answers.said[row], words[guess[row]]
        why = f"looks {proposed}: probability {answers.p[row, guess[row]]:.2f}, said {said}"
        if answers.task == "age":
            why += bound_note(int(said), int(guess[row]))
        found.append(
            Suspect(
                answers.people[row],
                answers.images[row],
                answers.task,
                said,
                proposed,
                float(1 - quality[row]),
                why,
            )
        )
    return found


def bound_note(age: int, group: int) -> str:
    """Says so where `age` lies next to the bound to `group`."""
    for bound, below, above in ((labels.MIDDLE_FROM, 0, 1), (labels.OLD_FROM, 1, 2)):
        own = labels.age_group(age)
        if {own, group} == {below, above} and bound - 1 - NEAR < age <= bound + NEAR:
            return f"; {age} is next to the bound at {bound}"
    return ""


def without_kept(suspects: Iterable[Suspect], kept: Sequence[ReviewedLabel]) -> list[Suspect]:
    """Those that nobody has looked at and found right."""
    by_person: dict[tuple[str, str], list[ReviewedLabel]] = {}
    for row in kept:
        by_person.setdefault((nfc(row.person), row.field), []).append(row)

    def settled(s: Suspect) -> bool:
        return any(
            (row.value == s.old or s.field == "drop")
            and (not row.image or (bool(s.image) and names_photo(s.image, row.image)))
            for row in by_person.get((nfc(s.person), s.field), [])
        )

    return [s for s in suspects if not settled(s)]


def ranked(suspects: Iterable[Suspect]) -> pd.DataFrame:
    """The table of COLUMNS: one row per label, of the surest where several doubt it, the surest first.

    Rows of equal confidence, such as the two of a swap, stand by person and image.
    """
    best: dict[tuple[str, str, str], Suspect] = {}
    for s in suspects:
        key = (s.person, s.image, s.field)
        if key not in best or (s.confidence, s.why) > (best[key].confidence, best[key].why):
            best[key] = s
    order = sorted(best.values(), key=lambda s: (-round(s.confidence, 4), s.person, s.image, s.field))
    table = pd.DataFrame([vars(s) for s in order], columns=list(COLUMNS[1:]))
    table["confidence"] = table["confidence"].astype(float).round(4)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table
