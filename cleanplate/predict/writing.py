"""Results on standard output: text, CSV, or a line of JSON per photo."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable

from cleanplate.predict.person import COLUMNS, NONE, REFUSED, Person, empty_row, row_of
from cleanplate.predict.results import Result
from pipeline.io.formula import begins_formula
from pipeline.runtime.errors import printable

Write = Callable[[Result], None]


def writer_of(kind: str, calibrated: bool) -> Write:
    """A function that writes one result.

    Args:
        kind: `text`, `csv` or `json`.
        calibrated: which probabilities.
    """
    if kind == "json":
        return lambda result: _write_json(result, calibrated)
    if kind == "csv":
        table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        table.writeheader()
        return lambda result: _write_rows(table, result, calibrated)
    return _write_text


def _write_json(result: Result, calibrated: bool) -> None:
    whole: dict[str, object] = {"image": printable(result.image)}
    if result.refused:
        whole |= {"status": REFUSED, "reason": result.refused.reason, "fix": result.refused.fix}
    else:
        rows = [row_of(result.image, person, calibrated=calibrated) for person in result.people]
        people = [{k: v for k, v in row.items() if k != "image"} for row in rows]
        whole |= {"status": "answered" if people else NONE, "people": people}
    print(json.dumps(whole, ensure_ascii=False), flush=True)


def _write_rows(table: csv.DictWriter[str], result: Result, calibrated: bool) -> None:
    """Rows of CSV; a name that a spreadsheet would run gets an apostrophe, as in all tables here."""
    image = printable(result.image)
    image = f"'{image}" if begins_formula(image) and image != "-" else image
    rows = [row_of(image, person, calibrated=calibrated) for person in result.people]
    table.writerows(rows or [empty_row(image, REFUSED if result.refused else NONE)])
    sys.stdout.flush()


def _write_text(result: Result) -> None:
    if result.refused:
        return  # said on standard error
    image = printable(result.image)
    if not result.people:
        print(f"{image}: nobody found", flush=True)
    for person in result.people:
        print(f"{image}: {_described(person)}", flush=True)


def _described(person: Person) -> str:
    x1, y1, x2, y2 = (round(float(edge)) for edge in person.box)
    sure = {name: f"{float(p.max()):.0%}" for name, p in person.tasks.items()}
    return (
        f"face {person.face} at {x1},{y1}–{x2},{y2} ({person.status}): mask {person.mask} {sure['mask']}, "
        f"{person.gender} {sure['gender']}, {person.age_group} {sure['age']}"
    )
