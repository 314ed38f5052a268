"""ROOT/train/train.csv against the folders: the folder name is what counts, but every difference is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.dataset.csv_reading import Row, read_rows
from pipeline.dataset.listing import Listing
from pipeline.dataset.person import read_person
from pipeline.dataset.safe_files import Unusable, checked_path, read_regular
from pipeline.io.spelling import composed
from pipeline.labels import read_age, read_gender
from pipeline.runtime.errors import Problems

TABLE = "train/train.csv"
COLUMNS = ("id", "gender", "race", "age", "path")
MOST_BYTES = 64 << 20


def compare_with_folders(root: Path, people: Sequence[str], listing: Listing) -> None:
    """Adds to `listing` what the table and the folders disagree about.

    Rows that cannot be read are problems. A row without a folder is set aside; a row that says another
    gender, race, age or id than the folder's name, and a folder without a row, are notes.
    """
    rows = rows_of(root, TABLE, COLUMNS, (), listing)
    if rows is None or note_no_rows(rows, TABLE, listing):
        return
    folders = {composed(p): p for p in people}
    lines: dict[str, Row] = {}
    for row in rows:
        wrong = _unreadable(row)
        path = composed(row["path"].strip("/").split("/")[-1])
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
            listing.set_aside(
                f"train/images/{path}", reason, "restore the folder or remove the row", counts=False
            )
            listing.notes.append(f"{TABLE} line {row.line}: there is no folder train/images/{path}")
    listing.notes += [f"train/images/{folders[p]}: not in {TABLE}" for p in sorted(set(folders) - set(lines))]


def note_no_rows(rows: Sequence[Row], table: str, listing: Listing) -> bool:
    """Whether a table has none but its header, which then is told: somebody expects it to say something."""
    if rows:
        return False
    reason = "a table with a header and no rows"
    listing.set_aside(table, reason, "add rows, or remove the table", counts=False)
    listing.notes.append(f"{table}: {reason}")
    return True


def rows_of(
    root: Path, table: str, columns: Sequence[str], optional: Sequence[str], listing: Listing
) -> list[Row] | None:
    """The rows of a table below `root`; None where it is missing, or unusable, which then is among the
    problems.
    """
    if not (root / table).exists() and not (root / table).is_symlink():
        return None
    try:
        return read_rows(read_regular(checked_path(root, table), MOST_BYTES), table, columns, optional)
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
    said = {"gender": read_gender(row["gender"]), "age": str(read_age(row["age"])), "race": row["race"]}
    named = {"gender": person.gender, "age": str(person.age), "race": person.race}
    if not _same_id(row["id"], person.id):
        said["id"], named["id"] = row["id"], person.id
    return [
        f"{TABLE} line {row.line}: {field} is {said[field]!r}; {folder} is what counts"
        for field in said
        if composed(said[field]) != composed(named[field])
    ]


def _same_id(said: str, named: str) -> bool:
    """Spreadsheets drop the zeros in front of an id; that is no difference."""
    return composed(said).lstrip("0") == composed(named).lstrip("0")
