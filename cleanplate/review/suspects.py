"""What the audit suspects: reports/suspects.csv against the people that are there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cleanplate.corrections.rules import years_of
from cleanplate.review.people import People, Person
from pipeline.dataset.user_csv import Row, read_rows
from pipeline.labels import read_gender, read_mask

COLUMNS = ("rank", "person", "image", "field", "old", "proposed", "confidence", "why")


@dataclass(frozen=True)
class Suspect:
    """One label in question. `image` is a photo's key, or empty for all of the person's photos; `value` is
    what accepting writes, empty where nothing can be accepted as it is; `stand_in` says for what it stands.
    """

    number: int
    person: Person
    image: str
    field: str
    old: str
    proposed: str
    value: str
    stand_in: str
    confidence: float | None
    why: str


def read_suspects(path: Path, people: People) -> tuple[list[Suspect], int]:
    """The suspects in the order of their rank, and how many rows are about nobody who is there.

    Raises:
        Problems: the file is no such table.
    """
    found: list[Suspect] = []
    strangers = 0
    rows = read_rows(path.read_bytes(), str(path), COLUMNS)
    for row in sorted(rows, key=_place):
        person = people.by_name.get(row["person"])
        if person is None or (row["image"] and row["image"] not in {p.image for p in person.photos}):
            strangers += 1
            continue
        value, stand_in = proposed_value(row["field"], row["proposed"])
        found.append(
            Suspect(
                len(found),
                person,
                row["image"],
                row["field"],
                row["old"],
                row["proposed"],
                value,
                stand_in,
                _number(row["confidence"]),
                row["why"],
            )
        )
    return found, strangers


def proposed_value(field: str, text: str) -> tuple[str, str]:
    """What a correction would hold for a proposal, and a note where that stands for an age group."""
    if field == "drop":
        return "drop", ""
    readers: dict[str, Callable[[str], str]] = {"gender": read_gender, "mask": read_mask}
    try:
        if field == "age":
            years, note = years_of(text)
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
