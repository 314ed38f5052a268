"""Reading and writing behind `cleanplate corrections`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from cleanplate.corrections.diff import TableDiff
from cleanplate.corrections.importer import Imported, Importer
from cleanplate.corrections.photo_lists import photo_values
from cleanplate.corrections.renames import renames
from pipeline.dataset.corrections import read_corrections
from pipeline.dataset.corrections_table import (
    CorrectionRow,
    ReviewedLabel,
    find_contradictions,
    format_entries,
    read_entries,
)
from pipeline.io.atomic import write_text
from pipeline.params import load_params
from pipeline.runtime.errors import Problems, UserError, printable
from stages.shared.artefacts import INDEX

if TYPE_CHECKING:
    import pandas as pd

LOCK = Path(".cache/locks/corrections.lock")  # whoever writes the two tables holds it
COLUMNS = ["image", "split", "person", "gender", "age", "mask"]


def tables_of(params: Path) -> tuple[Path, Path]:
    """Where the corrections and the reviewed labels are."""
    corrections = Path(load_params(params).relabel.corrections)
    return corrections, corrections.with_name("reviewed.csv")


def labels() -> pd.DataFrame:
    """The photos to train on, as the data folder labels them."""
    index = INDEX.read(*COLUMNS)
    return index[index["split"] == "train"].reset_index(drop=True)


def bytes_of(path: Path) -> bytes:
    """What the file holds; a table that is not there yet has no rows."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as e:
        raise UserError("the table cannot be read", where=path, got=e.strerror) from e


def entries_of(path: Path) -> list[tuple[int, CorrectionRow]]:
    """The rows of a table of corrections that must be there."""
    if not path.exists():
        raise UserError("the table of corrections is missing", where=path)
    return read_entries(CorrectionRow, bytes_of(path), str(path))


def checked(corrections: Path, reviewed: Path, table: pd.DataFrame) -> str:
    """One sentence about two tables that are right.

    Raises:
        Problems: everything that is wrong with them.
    """
    rows = read_entries(CorrectionRow, bytes_of(corrections), str(corrections))
    kept = read_entries(ReviewedLabel, bytes_of(reviewed), str(reviewed))
    wrong: list[str] = []
    found = []
    try:
        found = read_corrections(
            bytes_of(corrections) or b"person,image,field,old,new\n", str(corrections), table
        )
    except Problems as e:
        wrong += e.problems
    wrong += find_contradictions(kept, found, str(reviewed), str(corrections))
    if wrong:
        raise Problems("the corrections do not fit the data", wrong, fix="mend these rows, then check again")
    photos = len({c.image for c in found})
    return (
        f"{corrections}: {len(rows)} rows about {photos} photos; {reviewed}: {len(kept)} labels kept; all fit"
    )


def imported(
    lists: Sequence[Path], form: str, rule: str | None, source: str | None, table: pd.DataFrame
) -> Imported:
    """All lists together.

    Raises:
        Problems: what is not certain in any of them.
    """
    if rule and form != "ids":
        raise UserError(f"--rule goes with --form ids, not with --form {form}")
    total = Imported()
    for path in lists:
        if not path.is_file():
            raise UserError("the list is missing", where=path)
        importer = Importer(table, source or path.stem)
        read = {
            "values": importer.right_values,
            "photos": partial(photo_values, importer),
            "renames": partial(renames, importer),
            "known": importer.known,
        }
        try:
            one = (
                importer.ids(bytes_of(path), str(path), rule)
                if form == "ids"
                else read[form](bytes_of(path), str(path))
            )
        except ValueError as e:
            raise UserError(str(e), where="--rule") from e
        for name in ("entries", "contested", "problems"):
            getattr(total, name).extend(getattr(one, name))
        total.already += one.already
    if total.problems:
        raise Problems("nothing was imported", total.problems, fix="correct these lines and import again")
    return total


def added(path: Path, rows: Sequence[CorrectionRow], table: pd.DataFrame) -> str:
    """Adds rows to a table of corrections, after checking the whole; one sentence about it."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(LOCK, timeout=10):
            before = [e for _, e in read_entries(CorrectionRow, bytes_of(path), str(path))]
            known = {(e.person, e.image, e.field, e.old, e.new) for e in before}
            new = {e for e in rows if (e.person, e.image, e.field, e.old, e.new) not in known}
            text = format_entries(CorrectionRow, [*before, *new])
            read_corrections(text.encode(), f"{path} with the new rows", table)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
    except Timeout as e:
        raise UserError("another command is writing the corrections", where=LOCK, fix="try again") from e
    return f"{path}: {len(new)} rows added, {len(rows) - len(new)} were there already"


def diff_lines(found: TableDiff, first: Path, second: Path) -> list[str]:
    """`+` only in the second, `-` only in the first, `!` contradicting, and a sum."""
    lines = [f"+ {_row(e)}" for _, e in found.added] + [f"- {_row(e)}" for _, e in found.removed]
    lines += [
        f"! {_row(a)} ({first} line {m}) against {b.new} ({second} line {n})"
        for (m, a), (n, b) in found.contradicting
    ]
    counts = len(found.added), len(found.removed), len(found.contradicting)
    return [*map(printable, lines), f"{counts[0]} added, {counts[1]} removed, {counts[2]} contradicting"]


def _row(e: CorrectionRow) -> str:
    who = f"{e.person} {e.image}".strip()
    return f"{who}: drop" if e.field == "drop" else f"{who}: {e.field} {e.old} → {e.new}"
