"""Reading and writing behind `cleanplate corrections`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from cleanplate.corrections.diff import TableDiff
from cleanplate.corrections.importer import Importer, ImportResult
from cleanplate.corrections.photo_lists import read_photo_values
from cleanplate.corrections.renames import read_renames
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


def table_paths(params: Path) -> tuple[Path, Path]:
    """Paths of the corrections and of the reviewed labels."""
    corrections = Path(load_params(params).relabel.corrections)
    return corrections, corrections.with_name("reviewed.csv")


def read_labels() -> pd.DataFrame:
    """The training photos with the data folder's labels."""
    index = INDEX.read(*COLUMNS)
    return index[index["split"] == "train"].reset_index(drop=True)


def read_bytes(path: Path) -> bytes:
    """The file's bytes; empty if it does not exist yet."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as e:
        raise UserError("the table cannot be read", where=path, got=e.strerror) from e


def read_table(path: Path) -> list[tuple[int, CorrectionRow]]:
    """The rows of an existing table of corrections."""
    if not path.exists():
        raise UserError("the table of corrections is missing", where=path)
    return read_entries(CorrectionRow, read_bytes(path), str(path))


def check_tables(corrections: Path, reviewed: Path, table: pd.DataFrame) -> str:
    """Checks both tables; returns one sentence about them.

    Raises:
        Problems: every fault in them.
    """
    rows = read_entries(CorrectionRow, read_bytes(corrections), str(corrections))
    confirmed = read_entries(ReviewedLabel, read_bytes(reviewed), str(reviewed))
    wrong: list[str] = []
    parsed = []
    try:
        parsed = read_corrections(
            read_bytes(corrections) or b"person,image,field,old,new\n", str(corrections), table
        )
    except Problems as e:
        wrong += e.problems
    wrong += find_contradictions(confirmed, parsed, str(reviewed), str(corrections))
    if wrong:
        raise Problems(
            "the corrections do not fit the data", wrong, fix="correct these rows, then check again"
        )
    photos = len({c.image for c in parsed})
    return (
        f"{corrections}: {len(rows)} rows about {photos} photos; "
        f"{reviewed}: {len(confirmed)} labels kept; all fit"
    )


def import_lists(
    lists: Sequence[Path], form: str, rule: str | None, source: str | None, table: pd.DataFrame
) -> ImportResult:
    """Imports all lists.

    Raises:
        Problems: ambiguous or invalid lines of any list.
    """
    if rule and form != "ids":
        raise UserError(f"--rule goes with --form ids, not with --form {form}")
    total = ImportResult()
    for path in lists:
        if not path.is_file():
            raise UserError("the list is missing", where=path)
        importer = Importer(table, source or path.stem)
        read = {
            "values": importer.read_values,
            "photos": partial(read_photo_values, importer),
            "renames": partial(read_renames, importer),
            "known": importer.read_known,
        }
        try:
            one = (
                importer.read_ids(read_bytes(path), str(path), rule)
                if form == "ids"
                else read[form](read_bytes(path), str(path))
            )
        except ValueError as e:
            raise UserError(str(e), where="--rule") from e
        for name in ("entries", "contested", "problems"):
            getattr(total, name).extend(getattr(one, name))
        total.unchanged += one.unchanged
    if total.problems:
        raise Problems("nothing was imported", total.problems, fix="correct these lines and import again")
    return total


def add_rows(path: Path, rows: Sequence[CorrectionRow], table: pd.DataFrame) -> str:
    """Adds rows to a table of corrections, after checking the whole; returns one sentence about it."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(LOCK, timeout=10):
            before = [e for _, e in read_entries(CorrectionRow, read_bytes(path), str(path))]
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
    """`+` only in the second, `-` only in the first, `!` contradicting, and the totals."""
    lines = [f"+ {_row(e)}" for _, e in found.added] + [f"- {_row(e)}" for _, e in found.removed]
    lines += [
        f"! {_row(a)} ({first} line {m}) against {b.new} ({second} line {n})"
        for (m, a), (n, b) in found.contradicting
    ]
    counts = len(found.added), len(found.removed), len(found.contradicting)
    return [*map(printable, lines), f"{counts[0]} added, {counts[1]} removed, {counts[2]} contradicting"]


def _row(e: CorrectionRow) -> str:
    subject = f"{e.person} {e.image}".strip()
    return f"{subject}: drop" if e.field == "drop" else f"{subject}: {e.field} {e.old} → {e.new}"
