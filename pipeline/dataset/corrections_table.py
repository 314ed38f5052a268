"""The raw rows of the two tables that reviewers share through git.

    data/corrections.csv   person,image,field,old,new,reason,source
    data/reviewed.csv      person,image,field,value,source           "seen, and the label is right"

Both are written sorted and without duplicates, so that a decision is one line in a diff.
`pipeline.dataset.corrections` applies the rows to photos.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import TypeVar

from pipeline.dataset.corrections import Correction, names_photo
from pipeline.dataset.user_csv import read_rows
from pipeline.io.formula import begins_formula
from pipeline.io.spelling import nfc
from pipeline.runtime.errors import Problems


@dataclass(frozen=True, order=True)
class CorrectionRow:
    """A row of the table of corrections; `image` empty = all of the person's photos."""

    person: str
    image: str
    field: str
    old: str
    new: str
    reason: str = ""
    source: str = ""


@dataclass(frozen=True, order=True)
class ReviewedLabel:
    """A row of the table of labels that a reviewer confirmed."""

    person: str
    image: str
    field: str
    value: str
    source: str = ""


RowT = TypeVar("RowT", CorrectionRow, ReviewedLabel)


def read_entries(row_type: type[RowT], data: bytes, where: str) -> list[tuple[int, RowT]]:
    """The rows with their lines (1 = the header); an empty file has none.

    Raises:
        Problems: the file is not such a table, or has extra columns, which a rewrite would lose.
    """
    if not data.strip():
        return []
    names = [f.name for f in fields(row_type)]
    optional = [n for n in names if n in ("reason", "source")]
    rows = read_rows(data, where, [n for n in names if n not in optional], optional)
    more = sorted({column for row in rows for column in row.cells} - set(names))
    if more:
        known = ",".join(names)
        raise Problems(
            f"{where} has extra columns, which would be lost",
            [f"column {column!r}; known: {known}" for column in more],
            fix="remove them, or move what they say into `reason`",
        )
    entries = [(row.line, row_type(**{n: row[n] for n in names})) for row in rows]
    return [(line, replace(row, field=row.field.lower())) for line, row in entries]


def format_entries(row_type: type[RowT], rows: Iterable[RowT]) -> str:
    """The file: header, then the rows, sorted, each once."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([f.name for f in fields(row_type)])
    writer.writerows(sorted({astuple(_plain(row)) for row in rows}))
    return out.getvalue()


def _plain(row: RowT) -> RowT:
    """`row` with reason and source on one line, escaped if they begin like a formula."""
    texts = {n: " ".join(str(getattr(row, n, "")).split()) for n in ("reason", "source") if hasattr(row, n)}
    return replace(row, **{n: f"'{t}" if begins_formula(t) else t for n, t in texts.items()})


def find_contradictions(
    reviewed: Sequence[tuple[int, ReviewedLabel]],
    corrections: Iterable[Correction],
    reviewed_file: str,
    corrections_file: str,
) -> list[str]:
    """One sentence per label that one row confirms and another corrects, naming both rows.

    Args:
        reviewed: confirmed labels with their lines.
        corrections: checked against the labels.
        reviewed_file: file name of the confirmed labels, for the sentences.
        corrections_file: file name of the corrections.
    """
    by_person: dict[tuple[str, str], list[tuple[int, ReviewedLabel]]] = {}
    for line, row in reviewed:
        by_person.setdefault((nfc(row.person), row.field), []).append((line, row))
    sentences: dict[tuple[int, int], str] = {}
    for c in corrections:
        for line, row in by_person.get((nfc(c.person), c.field), []):
            if str(c.new) != row.value and (not row.image or names_photo(c.image, row.image)):
                photo = f"{row.person} {row.image}".strip()
                sentences[line, c.line] = (
                    f"{reviewed_file} line {line} keeps {c.field} {row.value} of {photo}{_by(row.source)}, "
                    f"{corrections_file} line {c.line} says {c.new}{_by(c.source)}"
                )
    return [sentences[key] for key in sorted(sentences)]


def _by(source: str) -> str:
    return f" ({source})" if source else ""
