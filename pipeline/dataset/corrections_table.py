"""The rows of the two tables that reviewers share through git, as they stand in the files.

    data/corrections.csv   person,image,field,old,new,reason,source
    data/reviewed.csv      person,image,field,value,source           "seen, and the label is right"

Both are written sorted, one row a line, without repeats, so that a decision is one line in a diff. What the
rows mean for the photos is `pipeline.dataset.corrections`' matter.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import TypeVar

from pipeline.dataset.corrections import Correction, names_photo
from pipeline.dataset.csv_reading import read_rows
from pipeline.io.formula import begins_formula
from pipeline.io.spelling import composed
from pipeline.runtime.errors import Problems


@dataclass(frozen=True, order=True)
class Entry:
    """A row of the table of corrections; `image` empty = all of the person's photos."""

    person: str
    image: str
    field: str
    old: str
    new: str
    reason: str = ""
    source: str = ""


@dataclass(frozen=True, order=True)
class Kept:
    """A row of the table of labels that were looked at and found right."""

    person: str
    image: str
    field: str
    value: str
    source: str = ""


Kind = TypeVar("Kind", Entry, Kept)


def read_entries(kind: type[Kind], data: bytes, where: str) -> list[tuple[int, Kind]]:
    """The rows with their lines (1 = the header); an empty file has none.

    Raises:
        Problems: the file is no such table, or has further columns, which writing it again would lose.
    """
    if not data.strip():
        return []
    names = [f.name for f in fields(kind)]
    optional = [n for n in names if n in ("reason", "source")]
    rows = read_rows(data, where, [n for n in names if n not in optional], optional)
    more = sorted({column for row in rows for column in row.cells} - set(names))
    if more:
        known = ",".join(names)
        raise Problems(
            f"{where} has further columns, which would be lost",
            [f"column {column!r}; known: {known}" for column in more],
            fix="remove them, or move what they say into `reason`",
        )
    found = [(row.line, kind(**{n: row[n] for n in names})) for row in rows]
    return [(line, replace(row, field=row.field.lower())) for line, row in found]


def entries_text(kind: type[Kind], rows: Iterable[Kind]) -> str:
    """The file: header, then the rows, sorted, each once."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([f.name for f in fields(kind)])
    writer.writerows(sorted({astuple(_plain(row)) for row in rows}))
    return out.getvalue()


def _plain(row: Kind) -> Kind:
    """`row` with reason and source on one line that no spreadsheet takes for a formula."""
    texts = {n: " ".join(str(getattr(row, n, "")).split()) for n in ("reason", "source") if hasattr(row, n)}
    return replace(row, **{n: f"'{t}" if begins_formula(t) else t for n, t in texts.items()})


def keeps_contradicted(
    kept: Sequence[tuple[int, Kept]], corrections: Iterable[Correction], kept_in: str, corrected_in: str
) -> list[str]:
    """One sentence per label that one row keeps and another corrects, naming both rows.

    Args:
        kept: with their lines.
        corrections: checked against the labels.
        kept_in: the kept rows' file, for the sentences.
        corrected_in: the corrections' file.
    """
    by_person: dict[tuple[str, str], list[tuple[int, Kept]]] = {}
    for line, row in kept:
        by_person.setdefault((composed(row.person), row.field), []).append((line, row))
    sentences: dict[tuple[int, int], str] = {}
    for c in corrections:
        for line, row in by_person.get((composed(c.person), c.field), []):
            if str(c.new) != row.value and (not row.image or names_photo(c.image, row.image)):
                who = f"{row.person} {row.image}".strip()
                sentences[line, c.line] = (
                    f"{kept_in} line {line} keeps {c.field} {row.value} of {who}{_by(row.source)}, "
                    f"{corrected_in} line {c.line} says {c.new}{_by(c.source)}"
                )
    return [sentences[key] for key in sorted(sentences)]


def _by(source: str) -> str:
    return f" ({source})" if source else ""
