"""Compares ROOT/train/train.csv with the folders: folder names win, but every difference is reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.dataset.data_folder import Root, is_there, read_below
from pipeline.dataset.listing import Listing
from pipeline.dataset.person import read_person
from pipeline.dataset.safe_files import Unusable
from pipeline.dataset.user_csv import Row, read_rows
from pipeline.io.spelling import nfc
from pipeline.labels import read_age, read_gender
from pipeline.runtime.errors import Problems

TABLE = "train/train.csv"
COLUMNS = ("id", "gender", "race", "age", "path")
MAX_BYTES = 64 << 20


def compare_with_folders(root: Path, people: Sequence[str], listing: Listing) -> None:
    """Adds every disagreement between the table and the folders to `listing`.

    Unreadable rows are problems. A row without a folder is quarantined. A row that differs from its folder's
    name in gender, race, age or id, and a folder without a row, are notes.
    """
    rows = read_optional_table(root, TABLE, COLUMNS, (), listing)
    if rows is None or note_if_empty(rows, TABLE, listing):
        return
    folders = {nfc(p): p for p in people}
    lines: dict[str, Row] = {}
    for row in rows:
        wrong = _unreadable(row)
        path = nfc(row["path"].strip("/").split("/")[-1])
        if not path:
            wrong.append("path is empty")
        elif ".." in row["path"].replace("\\", "/").split("/"):
            wrong.append(f"path {row['path']!r} points outside the data folder")
        if path in lines and lines[path].cells != row.cells:
            wrong.append(f"{path} is in line {lines[path].line} too, with other values")
        lines.setdefault(path, row)
        listing.problems += [f"{TABLE} line {row.line}: {w}" for w in wrong]
        if wrong:
            continue
        if path in folders:
            listing.notes += _differences(row, folders[path])
        elif path:
            reason = f"in {TABLE} (line {row.line}), but there is no such folder"
            listing.quarantine(
                f"train/images/{path}", reason, "restore the folder or remove the row", counts=False
            )
            listing.notes.append(f"{TABLE} line {row.line}: there is no folder train/images/{path}")
    listing.notes += [f"train/images/{folders[p]}: not in {TABLE}" for p in sorted(set(folders) - set(lines))]


def note_if_empty(rows: Sequence[Row], table: str, listing: Listing) -> bool:
    """Whether the table has only a header; this is noted and quarantined, since somebody expects rows."""
    if rows:
        return False
    reason = "a table with a header and no rows"
    listing.quarantine(table, reason, "add rows, or remove the table", counts=False)
    listing.notes.append(f"{table}: {reason}")
    return True


def read_optional_table(
    root: Root, table: str, columns: Sequence[str], optional: Sequence[str], listing: Listing
) -> list[Row] | None:
    """The rows of a table below `root`; None if it is missing, or unusable (then `listing` has a problem)."""
    if not is_there(root, table):
        return None
    try:
        return read_rows(read_below(root, table, MAX_BYTES), table, columns, optional)
    except Unusable as e:
        listing.problems.append(f"{table}: {e.reason}; {e.advice}")
    except Problems as e:
        fix = str(e).rsplit("fix:", 1)[-1].strip() if "fix:" in str(e) else ""
        listing.problems += [f"{table}: {p}{f' ({fix})' if 'UTF-8' in p else ''}" for p in e.problems]
    return None


def _unreadable(row: Row) -> list[str]:
    wrong: list[str] = []
    for column, read in (("gender", read_gender), ("age", read_age)):
        try:
            read(row[column])
        except ValueError as e:
            wrong.append(str(e))
    return wrong


def _differences(row: Row, folder: str) -> list[str]:
    person = read_person(folder)
    table_values = {
        "gender": read_gender(row["gender"]),
        "age": str(read_age(row["age"])),
        "race": row["race"],
    }
    folder_values = {"gender": person.gender, "age": str(person.age), "race": person.race}
    if not _same_id(row["id"], person.id):
        table_values["id"], folder_values["id"] = row["id"], person.id
    return [
        f"{TABLE} line {row.line}: {field} is {table_values[field]!r}; {folder} is what counts"
        for field in table_values
        if nfc(table_values[field]) != nfc(folder_values[field])
    ]


def _same_id(table_id: str, folder_id: str) -> bool:
    """Ignores leading zeros, which spreadsheets drop."""
    return nfc(table_id).lstrip("0") == nfc(folder_id).lstrip("0")
