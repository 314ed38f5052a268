"""Reads CSV files written by people: accepts harmless variants and lists every other problem with its line.

Harmless: a byte-order mark, CRLF, quotes, `;` or tab instead of `,`, reordered or extra columns, blank lines,
spaces around a cell, Excel's line `sep=;`. Not harmless: an encoding other than UTF-8, since a wrong guess
changes names.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.safe_files import Unusable, read_regular
from pipeline.runtime.errors import Problems, UserError, nearest

SEPARATORS = (",", ";", "\t")
FIX = "correct the table and run again"
MAX_BYTES = 64 << 20
MAX_HEADER_CHARS = 300  # characters of a header in an error
AS_CSV = "save it as UTF-8, in Excel as `CSV UTF-8`"


@dataclass(frozen=True)
class Row:
    """One row: its line in the file (1 = the header) and its cells by column, stripped."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def table_bytes(path: Path, what: str, columns: Sequence[str]) -> bytes:
    """The bytes of a table that git tracks.

    Args:
        path: of the table.
        what: it is, for the error: "the table of corrections".
        columns: of its header, for the error.

    Raises:
        UserError: it is missing, no regular file, not readable, or larger than MAX_BYTES.
    """
    try:
        return read_regular(path, MAX_BYTES)
    except Unusable as e:
        raise UserError(
            f"{what} cannot be read",
            where=path,
            got=e.reason,
            fix=f"`git checkout {path}`, or make a file with just the line {','.join(columns)}",
        ) from e


def read_rows(data: bytes, where: str, columns: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """The rows of a table.

    Args:
        data: the file's bytes.
        where: the file's name for errors.
        columns: required columns.
        optional: optional columns; others are ignored.

    Raises:
        Problems: the file is not such a table; lists every wrong row with its line.
    """
    lines = _records(_text(data, where), where)
    if not lines:
        raise Problems(
            f"{where} is empty", [f"it is empty; expected the columns {', '.join(columns)}"], fix=FIX
        )
    (_, header), *body = lines
    names = [_column(cell, [*columns, *optional]) for cell in header]
    if columns and not set(names) & set(columns):
        problem = f"the first line must name the columns {', '.join(columns)}; it is: {_shown(names)}"
        raise Problems(f"{where} has the wrong columns", [problem], fix=FIX)
    wrong = _header_problems(names, columns)
    if wrong:
        raise Problems(f"{where} has the wrong columns", wrong, fix=FIX)
    rows: list[Row] = []
    for line, cells in body:
        if len(cells) > len(names) and not any(c.strip() for c in cells[len(names) :]):
            cells = cells[: len(names)]
        if len(cells) == len(names):
            rows.append(Row(line, {n: c.strip() for n, c in zip(names, cells, strict=True)}))
        elif any(c.strip() for c in cells):
            wrong.append(f"line {line}: {len(cells)} cells, the header has {len(names)}")
    if wrong:
        raise Problems(f"{where} has broken rows", wrong, fix=FIX)
    return [row for row in rows if any(row.cells.values())]


def _text(data: bytes, where: str) -> str:
    if data.startswith(b"PK\3\4"):
        raise Problems(f"{where} is not text", ["it is an archive, like an Excel workbook"], fix=AS_CSV)
    declared = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Excel's "Unicode text"
    encoding = "utf-16" if declared else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        guess = _guess(data)
        raise Problems(
            f"{where} is not UTF-8",
            [f"line {line}: byte 0x{data[e.start]:02x} is not UTF-8{guess}"],
            fix=AS_CSV + (", or by `iconv -f cp949 -t utf-8`" if guess else ""),
        ) from e
    if "\0" in text:
        raise Problems(f"{where} is not text", ["it contains zero bytes"], fix=FIX)
    return text


def _guess(data: bytes) -> str:
    try:
        data.decode("cp949")
    except UnicodeDecodeError:
        return ""
    return "; it looks like cp949 (Korean Windows)"


def _records(text: str, where: str) -> list[tuple[int, list[str]]]:
    """(first line, cells) of every record."""
    first = text.lstrip("\r\n").split("\n", 1)[0].strip("\r ")
    separator = max(SEPARATORS, key=first.count)
    declared = first.lower().startswith("sep=") and first[4:] in SEPARATORS
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for cells in reader:
            if cells and not (declared and not records and cells[0].lower().startswith("sep=")):
                records.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as e:
        raise Problems(f"{where} cannot be read as a table", [f"line {begins}: {e}"], fix=FIX) from e
    return records


def _column(cell: str, known: Sequence[str]) -> str:
    """The column's known spelling, ignoring case and surrounding spaces."""
    by_lower = {k.lower(): k for k in known}
    return by_lower.get(cell.strip().lower(), cell.strip())


def _shown(names: Sequence[str]) -> str:
    """The columns for an error, truncated: a binary file may have a line of megabytes."""
    text = ", ".join(names)
    return text if len(text) <= MAX_HEADER_CHARS else text[:MAX_HEADER_CHARS] + " …"


def _header_problems(names: Sequence[str], columns: Sequence[str]) -> list[str]:
    wrong: list[str] = []
    for column in columns:
        if column not in names:
            close = nearest(column, [n for n in names if n not in columns])
            hint = f"; is it {close!r}?" if close else "."
            wrong.append(f"column {column!r} is missing{hint} The file has: {_shown(names)}")
        elif names.count(column) > 1:
            wrong.append(f"column {column!r} occurs {names.count(column)} times")
    return wrong
