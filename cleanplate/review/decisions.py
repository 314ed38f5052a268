"""Writes decisions as rows of tables that reviewers share through git.

Rereads the files before each write, under a lock, since another tab, another reviewer's process, an editor or
git may have changed them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from filelock import FileLock, Timeout

from cleanplate.review.people import Person
from cleanplate.review.tables import LocatedRow, Row, Tables, describe, find_decisions
from pipeline.dataset.corrections_table import CorrectionRow, ReviewedLabel
from pipeline.runtime.errors import UserError

LOCK = Path(".cache/locks/corrections.lock")  # `cleanplate corrections import` holds it too


class Conflict(Exception):
    """The decision cannot be written; the text gives the reason."""


@dataclass(frozen=True)
class Choice:
    """A reviewer's decision about `field` of a photo, or of all photos (`image` empty)."""

    person: Person
    image: str
    field: str
    action: Literal["correct", "keep", "drop"]
    value: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Receipt:
    """The rows that a decision added and removed, to undo it."""

    id: str
    person: str
    added: tuple[Row, ...]
    removed: tuple[Row, ...]


class Decisions:
    """The tables of one project.

    Args:
        corrections: path of the table, e.g. data/corrections.csv.
        labels: columns image, person, gender, age, mask, from the data folder.
        source: the reviewer, for the rows.
    """

    def __init__(self, corrections: Path, labels: pd.DataFrame, source: str) -> None:
        self.source = source
        self._paths = corrections, corrections.with_name("reviewed.csv")
        self._labels = labels
        self._rows = {str(p): g for p, g in labels.groupby("person", sort=False)}
        self._thread_lock = threading.Lock()
        self._receipts: dict[str, Receipt] = {}
        self._checked_bytes: tuple[bytes, bytes] | None = None
        self.written = 0

    def tables(self) -> Tables:
        """The current content of the files.

        Raises:
            Problems: they no longer fit the data or each other after an edit.
        """
        tables = Tables(*self._paths)
        if tables.bytes != self._checked_bytes:
            tables.checked(self._labels)
            self._checked_bytes = tables.bytes
        return tables

    def decide(self, choice: Choice, version: str, receipt_id: str) -> Receipt:
        """Writes a decision.

        Args:
            choice: the decision.
            version: of the person's rows as the reviewer saw them.
            receipt_id: the page's id of the decision, for undo.

        Raises:
            Conflict: the rows have changed, or the decision contradicts another reviewer's row.
            Problems: the files do not fit the data.
        """
        with self._locked():
            tables = self.tables()
            existing = find_decisions(tables, choice.person, choice.image, choice.field)
            row = self._row(choice)
            if version != tables.version(choice.person.name):
                raise Conflict(_conflict_text(choice, row, existing))
            mine = [p.row for p in existing if p.row.source == self.source]
            others = [p for p in existing if p.row.source != self.source and _is_relevant(p.row, choice)]
            against = [p for p in others if not _agrees(p.row, row)]
            if against:
                raise Conflict(
                    f"{against[0]}; you: {describe(row)}. Correct that row by hand if it is wrong."
                )
            added = () if others else (row,)
            self._write(
                tables, choice.person, [r for r in mine if r != row], [r for r in added if r not in mine]
            )
            removed = tuple(r for r in mine if r != row)
            receipt = Receipt(receipt_id, choice.person.name, added, removed)
            self._receipts[receipt.id] = receipt
            self.written += 1
            return receipt

    def undo(self, receipt_id: str) -> Receipt:
        """Undoes a decision: removes its row and restores the rows that it replaced.

        Raises:
            Conflict: not a decision of this session, or its row is gone.
        """
        receipt = self._receipts.get(receipt_id)
        if receipt is None:
            raise Conflict("that decision was already undone, or made in an earlier session")
        with self._locked():
            tables = self.tables()
            existing = [p.row for p in tables.about(receipt.person)]
            gone = [row for row in receipt.added if row not in existing]
            if gone:
                raise Conflict(
                    f"the row that {describe(gone[0])} is no longer in the table; nothing was undone"
                )
            person = Person("", receipt.person)
            self._write(tables, person, list(receipt.added), list(receipt.removed))
            del self._receipts[receipt_id]
            self.written -= 1
        return receipt

    def _row(self, choice: Choice) -> Row:
        person, image = choice.person, choice.image
        names = [p.name for p in person.photos]
        short = next((p.name for p in person.photos if p.image == image and names.count(p.name) == 1), image)
        if choice.action == "keep":
            return ReviewedLabel(person.name, short, choice.field, choice.value, self.source)
        if choice.action == "drop":
            return CorrectionRow(person.name, short, "drop", "", "", choice.reason, self.source)
        old = person.label(choice.field, image)
        return CorrectionRow(person.name, short, choice.field, old, choice.value, choice.reason, self.source)

    def _write(self, tables: Tables, person: Person, remove: list[Row], add: list[Row]) -> None:
        """Writes, then checks the person's rows; reverts the write if they do not fit."""
        if not remove and not add:
            return
        tables.write(remove, add)
        after = Tables(*self._paths)
        try:
            after.checked(self._rows[person.name], person.name)
        except UserError as e:
            after.write(add, remove)
            self._checked_bytes = Tables(*self._paths).bytes
            raise Conflict("; ".join(getattr(e, "problems", [str(e)]))) from e
        self._checked_bytes = after.bytes

    def _locked(self) -> _Locks:
        return _Locks(self._thread_lock)


class _Locks:
    """A lock between threads, then between processes."""

    def __init__(self, thread_lock: threading.Lock) -> None:
        LOCK.parent.mkdir(parents=True, exist_ok=True)
        self._thread_lock = thread_lock
        self._file_lock = FileLock(LOCK, timeout=10)

    def __enter__(self) -> None:
        self._thread_lock.acquire()
        try:
            self._file_lock.acquire()
        except Timeout as e:
            self._thread_lock.release()
            raise Conflict("another command is writing the corrections; try again") from e

    def __exit__(self, *_: object) -> None:
        self._file_lock.release()
        self._thread_lock.release()


def _is_relevant(row: Row, choice: Choice) -> bool:
    """Whether another reviewer's row could conflict: a drop conflicts only with a drop."""
    return choice.action != "drop" or row.field == "drop"


def _agrees(row: Row, mine: Row) -> bool:
    if isinstance(row, CorrectionRow) and isinstance(mine, CorrectionRow):
        return (row.field, row.new) == (mine.field, mine.new)
    return isinstance(row, ReviewedLabel) and isinstance(mine, ReviewedLabel) and row.value == mine.value


def _conflict_text(choice: Choice, row: Row, existing: list[LocatedRow]) -> str:
    rows = "; ".join(str(p) for p in existing) or f"there is no row about {choice.field} any more"
    return f"somebody else decided about {choice.person.name}: {rows}; you: {describe(row)}. Look again."
