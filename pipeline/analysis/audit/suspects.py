"""The list of suspects from the model and the rules, by falling confidence."""

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
NEAR_YEARS = 1  # years from a bound


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
class Predictions:
    """Out-of-fold predictions for one task.

    Args:
        task: mask, gender or age.
        p: out-of-fold probabilities, [N, K]: a row per photo for mask, per person for the others.
        codes: int [N], the given labels.
        people: N names.
        images: N keys, or "" for all of a person's photos.
        given: N values in the tables' spelling (an age is in years).
    """

    task: str
    p: np.ndarray
    codes: np.ndarray
    people: Sequence[str]
    images: Sequence[str]
    given: Sequence[str]


def find_label_issues(predictions: Predictions, min_confidence: float) -> list[Suspect]:
    """Labels that are wrong with at least `min_confidence`: one minus cleanlab's label quality."""
    quality = get_label_quality_scores(predictions.codes, predictions.p, method="self_confidence")
    is_given = np.arange(predictions.p.shape[1]) == predictions.codes[:, None]
    proposed_codes = np.where(is_given, -1, predictions.p).argmax(axis=1)
    values = TASKS[predictions.task].values  # noqa: PD011
    issues: list[Suspect] = []
    for row in np.flatnonzero(1 - quality >= min_confidence).tolist():
        given, proposed = predictions.given[row], values[proposed_codes[row]]
        why = f"looks {proposed}: probability {predictions.p[row, proposed_codes[row]]:.2f}, labelled {given}"
        if predictions.task == "age":
            why += bound_note(int(given), int(proposed_codes[row]))
        issues.append(
            Suspect(
                predictions.people[row],
                predictions.images[row],
                predictions.task,
                given,
                proposed,
                float(1 - quality[row]),
                why,
            )
        )
    return issues


def bound_note(age: int, group: int) -> str:
    """A note if `age` is next to the bound to `group`, else ""."""
    for bound, below, above in ((labels.MIDDLE_FROM, 0, 1), (labels.OLD_FROM, 1, 2)):
        given_group = labels.age_group(age)
        if {given_group, group} == {below, above} and bound - 1 - NEAR_YEARS < age <= bound + NEAR_YEARS:
            return f"; {age} is next to the bound at {bound}"
    return ""


def without_kept(suspects: Iterable[Suspect], kept: Sequence[ReviewedLabel]) -> list[Suspect]:
    """Suspects that no reviewer has confirmed as right."""
    by_person: dict[tuple[str, str], list[ReviewedLabel]] = {}
    for row in kept:
        by_person.setdefault((nfc(row.person), row.field), []).append(row)

    def is_confirmed(s: Suspect) -> bool:
        return any(
            (row.value == s.old or s.field == "drop")
            and (not row.image or (bool(s.image) and names_photo(s.image, row.image)))
            for row in by_person.get((nfc(s.person), s.field), [])
        )

    return [s for s in suspects if not is_confirmed(s)]


def ranked(suspects: Iterable[Suspect]) -> pd.DataFrame:
    """The table of COLUMNS: one row per label with its most confident suspicion, by falling confidence.

    Rows of equal confidence, such as the two of a mislabelled pair, are sorted by person and image.
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
