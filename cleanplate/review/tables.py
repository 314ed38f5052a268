"""The current content of the two tables of decisions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cleanplate.review.people import Person
from pipeline.dataset.corrections import names_photo, read_corrections
from pipeline.dataset.corrections_table import (
    CorrectionRow,
    ReviewedLabel,
    find_contradictions,
    format_entries,
    read_entries,
)
from pipeline.io.atomic import write_text
from pipeline.io.spelling import nfc
from pipeline.runtime.errors import Problems

Row = CorrectionRow | ReviewedLabel
LABELS = ("gender", "age", "mask")


@dataclass(frozen=True)
class LocatedRow:
    """A row with its file and line."""

    row: Row
    file: str
    line: int

    def __str__(self) -> str:
        by = f" ({self.row.source})" if self.row.source else ""
        return f"{self.file} line {self.line} {describe(self.row)}{by}"


def describe(row: Row) -> str:
    """The row in words."""
    target = f"{row.person} {row.image}".strip()
    if isinstance(row, ReviewedLabel):
        return f"keeps {row.field} {row.value} of {target}"
    return f"drops {target}" if row.field == "drop" else f"says {row.field} {row.new} of {target}"


def is_about(row: Row, image: str, field: str) -> bool:
    """Whether a person's row is about `field` of `image` ("" = the whole person)."""
    if row.field not in (field, "drop"):
        return False
    return not row.image or (image != "" and names_photo(image, row.image))


def find_decisions(tables: Tables, person: Person, image: str, field: str) -> list[LocatedRow]:
    """The rows about a label, without confirmations of outdated labels."""
    return [
        p
        for p in tables.about(person.name)
        if is_about(p.row, image, field) and not _outdated(p.row, person, image)
    ]


def _outdated(row: Row, person: Person, image: str) -> bool:
    return (
        isinstance(row, ReviewedLabel) and row.field in LABELS and row.value != person.label(row.field, image)
    )


class Tables:
    """A snapshot of the files."""

    def __init__(self, corrections: Path, reviewed: Path) -> None:
        self.corrections, self.reviewed = corrections, reviewed
        self.bytes = _bytes(corrections), _bytes(reviewed)
        self.entries = read_entries(CorrectionRow, self.bytes[0], str(corrections))
        self.kept = read_entries(ReviewedLabel, self.bytes[1], str(reviewed))
        self._people: dict[str, list[LocatedRow]] = {}
        for rows, path in ((self.entries, corrections), (self.kept, reviewed)):
            for line, row in rows:
                self._people.setdefault(nfc(row.person), []).append(LocatedRow(row, str(path), line))

    def about(self, person: str) -> list[LocatedRow]:
        """All rows about a person."""
        return self._people.get(nfc(person), [])

    def version(self, person: str) -> str:
        """Changes whenever the rows about a person do."""
        rows = sorted(repr(located.row) for located in self.about(person))
        return hashlib.blake2s("\n".join(rows).encode("utf-8", "surrogateescape"), digest_size=9).hexdigest()

    def checked(self, labels: pd.DataFrame, person: str | None = None) -> None:
        """Checks all rows, or those about one person, against the labels.

        Raises:
            Problems: rows that do not fit the labels or contradict each other.
        """
        entries = [(n, e) for n, e in self.entries if person is None or _is_about(e, person)]
        kept = [(n, k) for n, k in self.kept if person is None or _is_about(k, person)]
        whole = person is None and self.bytes[0].strip()
        data = self.bytes[0] if whole else format_entries(CorrectionRow, (e for _, e in entries)).encode()
        wrong: list[str] = []
        try:
            found = read_corrections(data, str(self.corrections), labels)
            wrong = find_contradictions(kept, found, str(self.reviewed), str(self.corrections))
        except Problems as e:
            wrong = e.problems
        if wrong:
            raise Problems(
                "the decisions do not fit together", wrong, fix="correct these rows, then start again"
            )

    def write(self, remove: Sequence[Row], add: Sequence[Row]) -> None:
        """Writes the changed files; removals first, so that both sides of a decision never coexist."""
        entries = [e for _, e in self.entries if e not in remove] + [
            r for r in add if isinstance(r, CorrectionRow)
        ]
        kept = [k for _, k in self.kept if k not in remove] + [r for r in add if isinstance(r, ReviewedLabel)]
        texts = [
            (self.corrections, format_entries(CorrectionRow, entries)),
            (self.reviewed, format_entries(ReviewedLabel, kept)),
        ]
        touched = {
            CorrectionRow if isinstance(row, CorrectionRow) else ReviewedLabel for row in (*remove, *add)
        }
        jobs = [
            job for job, kind in zip(texts, (CorrectionRow, ReviewedLabel), strict=True) if kind in touched
        ]
        if any(isinstance(row, ReviewedLabel) for row in remove):
            jobs.reverse()
        for path, text in jobs:
            write_text(path, text)


def _is_about(row: Row, person: str) -> bool:
    return nfc(row.person) == nfc(person)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
