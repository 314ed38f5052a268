"""Reads the audit's suspects, reports/suspects.csv."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cleanplate.corrections.rules import parse_years
from cleanplate.review.people import People, Person
from pipeline.dataset.user_csv import Row, read_rows
from pipeline.labels import read_gender, read_mask

COLUMNS = ("rank", "person", "image", "field", "old", "proposed", "confidence", "why")


@dataclass(frozen=True)
class Suspect:
    """One suspicious label. `image` is a photo's key, or empty for all of the person's photos; `value` is
    written on acceptance, empty if the proposal cannot be accepted; `age_note` explains an age for a group.
    """

    number: int
    person: Person
    image: str
    field: str
    old: str
    proposed: str
    value: str
    age_note: str
    confidence: float | None
    why: str


def read_suspects(path: Path, people: People) -> tuple[list[Suspect], int]:
    """The suspects by rank, and the number of rows about unknown people.

    Raises:
        Problems: the file is not such a table.
    """
    suspects: list[Suspect] = []
    unknown = 0
    rows = read_rows(path.read_bytes(), str(path), COLUMNS)
    for row in sorted(rows, key=_place):
        person = people.by_name.get(row["person"])
        if person is None or (row["image"] and row["image"] not in {p.image for p in person.photos}):
            unknown += 1
            continue
        value, age_note = parse_proposal(row["field"], row["proposed"])
        suspects.append(
            Suspect(
                len(suspects),
                person,
                row["image"],
                row["field"],
                row["old"],
                row["proposed"],
                value,
                age_note,
                _number(row["confidence"]),
                row["why"],
            )
        )
    return suspects, unknown


def parse_proposal(field: str, text: str) -> tuple[str, str]:
    """The value to write for a proposal, and a note if it is an age for a group."""
    if field == "drop":
        return "drop", ""
    readers: dict[str, Callable[[str], str]] = {"gender": read_gender, "mask": read_mask}
    try:
        if field == "age":
            years, note = parse_years(text)
            return str(years), note
        return (readers[field](text), "") if field in readers else ("", "")
    except ValueError:
        return "", ""


def _place(row: Row) -> tuple[float, int]:
    rank = _number(row["rank"])
    return math.inf if rank is None else rank, row.line


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
