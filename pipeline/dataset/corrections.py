"""Reads the table of corrections, facts that the data folder has wrong, and checks it against the labels.

    person,image,field,old,new,reason,source

`person` is the folder name (the csv layout's `person`), of extra people `extra:` and the name. `image` is a
photo of that person: its key, its file name or its stem; empty = all of that person's photos. `field` is
gender, age, mask or drop. `old` is a guard: what the data folder says. Two swapped files are two rows. The
order of the rows does not matter, applying twice is applying once, and a row that repeats another does no
harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from pipeline.dataset.extra import PREFIX
from pipeline.dataset.user_csv import Row, read_rows
from pipeline.io.spelling import nfc
from pipeline.labels import read_age, read_gender, read_mask
from pipeline.runtime.errors import Problems, nearest

COLUMNS = ("person", "image", "field", "old", "new", "reason", "source")
NEEDED = ("person", "image", "field", "old", "new")
FIELDS = ("gender", "age", "mask", "drop")
READERS = {"gender": read_gender, "age": read_age, "mask": read_mask}
FIX = "correct these rows; nothing was applied"


@dataclass(frozen=True)
class Correction:
    """One field of one photo: the value in the data folder, the true value (drop: None), and the reason."""

    image: str
    person: str
    field: str
    old: str | int | None
    new: str | int | None
    reason: str
    source: str
    line: int


def read_corrections(data: bytes, where: str, labels: pd.DataFrame) -> list[Correction]:
    """Reads and checks the whole table.

    Args:
        data: the file's bytes.
        where: its name for errors.
        labels: columns image, person, gender, age, mask: the photos to train on as the data folder labels
            them.

    Returns:
        One correction per photo and field, sorted by image and field.

    Raises:
        Problems: every row that is unreadable, names an unknown person, has a stale `old` or contradicts
            another row, with its line.
    """
    rows = read_rows(data, where, NEEDED, [c for c in COLUMNS if c not in NEEDED])
    groups = labels.groupby("person", sort=False).indices if rows else {}
    people = {nfc(str(person)): np.asarray(positions) for person, positions in groups.items()}
    ids: dict[str, list[str]] = {}
    for person in people:
        ids.setdefault(_bare_id(person), []).append(person)
    problems: list[str] = []
    by_field: dict[tuple[str, str], Correction] = {}
    for row in rows:
        corrections, wrong = _expand_row(row, labels, people, ids)
        if not wrong:
            wrong = _contradictions(corrections, by_field)
        for correction in corrections:
            by_field.setdefault((correction.image, correction.field), correction)
        problems += [f"{where} line {row.line}: {w}" for w in wrong]
    if problems:
        raise Problems(f"{where} does not fit the data", problems, fix=FIX)
    return [by_field[key] for key in sorted(by_field)]


def _expand_row(
    row: Row, labels: pd.DataFrame, people: Mapping[str, np.ndarray], ids: Mapping[str, Sequence[str]]
) -> tuple[list[Correction], list[str]]:
    """One correction for each photo that the row covers, and the row's problems."""
    person, field = nfc(row["person"]), row["field"].lower()
    wrong: list[str] = []
    if field not in FIELDS:
        close = nearest(field, FIELDS)
        hint = f", did you mean {close!r}?" if close else ""
        wrong.append(f"field is {row['field']!r}{hint}; allowed: {', '.join(FIELDS)}")
    if person not in people:
        return [], [*wrong, _unknown_person(person, people, ids)]
    photos = own = labels.iloc[people[person]]
    key = str(photos["person"].iloc[0])
    if row["image"]:
        photos = photos[[names_photo(str(image), row["image"]) for image in photos["image"]]]
        if photos.empty:
            known = ", ".join(sorted(PurePosixPath(str(i)).name for i in own["image"]))
            wrong.append(f"{person} has no usable photo {row['image']!r}; there are: {known}")
    if wrong:
        return [], wrong
    old, new, wrong = _read_values(row, field)
    if wrong:
        return [], wrong
    if field != "drop":
        given = sorted({str(v) for v in photos[field]})
        if given != [str(old)]:
            return [], [_stale_problem(row, field, old, new, given)]
    images = sorted(str(i) for i in photos["image"])
    return [Correction(i, key, field, old, new, row["reason"], row["source"], row.line) for i in images], []


def names_photo(image: str, text: str) -> bool:
    """Whether `text` is the key, the file name or the stem of `image`, in any Unicode spelling."""
    path = PurePosixPath(nfc(image))
    return nfc(text) in (str(path), path.name, path.stem)


def _unknown_person(person: str, people: Mapping[str, np.ndarray], ids: Mapping[str, Sequence[str]]) -> str:
    if not person:
        return "person is empty; it is the name of the person's folder"
    hint = " or ".join(ids.get(_bare_id(person), [])) or nearest(
        person, [p for p in people if p[:4] == person[:4]]
    )
    return f"nobody is called {person!r}" + (f"; did you mean {hint}?" if hint else "")


def _bare_id(person: str) -> str:
    """`001498` of `001498-1_male_Asian_23`: the id in many teams' tables."""
    return person.removeprefix(PREFIX).split("_")[0].split("-")[0]


def _read_values(row: Row, field: str) -> tuple[str | int | None, str | int | None, list[str]]:
    if field == "drop":
        given = [c for c in ("old", "new") if row[c]]
        return None, None, [f"field drop takes no {c}, got {row[c]!r}" for c in given]
    values: list[str | int | None] = []
    wrong: list[str] = []
    for column in ("old", "new"):
        try:
            values.append(READERS[field](row[column]))
        except ValueError as e:
            values.append(None)
            wrong.append(f"{column}: {e}" if row[column] else f"{column} is empty; field {field} needs it")
    return values[0], values[1], wrong


def _stale_problem(row: Row, field: str, old: object, new: object, given: Sequence[str]) -> str:
    photo = f"{row['person']} {row['image']}".strip()
    if given == [str(new)]:
        return f"stale: the data folder already says {field} {new} for {photo}; remove the row"
    mixed = "; name one image a row" if len(given) > 1 else ""
    return f"stale: old is {field} {old}, but the data folder says {' and '.join(given)} for {photo}{mixed}"


def _contradictions(
    corrections: Sequence[Correction], by_field: Mapping[tuple[str, str], Correction]
) -> list[str]:
    """Where `corrections` contradict earlier rows; one sentence per earlier row."""
    sentences: dict[int, str] = {}
    for new in corrections:
        old = by_field.get((new.image, new.field))
        if old and old.new != new.new:
            name = f"{new.person} {PurePosixPath(new.image).name}"
            sentences[old.line] = (
                f"contradicts line {old.line}: {new.field} of {name}: {new.new} here, {old.new} there"
            )
    return list(sentences.values())
