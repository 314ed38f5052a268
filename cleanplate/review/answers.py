"""JSON of people and suspects for the page: ids, labels and names, never a path."""

from __future__ import annotations

from typing import Any

from cleanplate.review.people import Person
from cleanplate.review.suspects import Suspect
from cleanplate.review.tables import LocatedRow, Tables, find_decisions, is_about


def suspect_answer(suspect: Suspect, tables: Tables) -> dict[str, Any]:
    """A suspect, and the row with the decision about it, if there is one."""
    photo = next((p.id for p in suspect.person.photos if p.image == suspect.image), "")
    settled = find_decisions(tables, suspect.person, suspect.image, suspect.field)
    return {
        "number": suspect.number,
        "person": suspect.person.id,
        "name": suspect.person.name,
        "photo": photo,
        "field": suspect.field,
        "old": suspect.old,
        "proposed": suspect.proposed,
        "value": suspect.value,
        "note": suspect.age_note,
        "confidence": suspect.confidence,
        "why": suspect.why,
        "decided": _row_answer(settled[0]) if settled else None,
    }


def person_answer(person: Person, tables: Tables) -> dict[str, Any]:
    """A person with photos, the rows about them, and the version of these rows."""
    return {
        "id": person.id,
        "name": person.name,
        "version": tables.version(person.name),
        "photos": [
            {"id": p.id, "name": p.name, "gender": p.gender, "age": p.age, "mask": p.mask}
            for p in person.photos
        ],
        "rows": [
            {**_row_answer(located), "photos": [p.id for p in person.photos if _covers(located, p.image)]}
            for located in tables.about(person.name)
        ],
    }


def _covers(located: LocatedRow, image: str) -> bool:
    return is_about(located.row, image, located.row.field)


def _row_answer(located: LocatedRow) -> dict[str, Any]:
    row = located.row
    kept = hasattr(row, "value")
    return {
        "kind": "keep" if kept else "drop" if row.field == "drop" else "correct",
        "field": row.field,
        "value": getattr(row, "value", getattr(row, "new", "")),
        "source": row.source,
        "where": f"{located.file} line {located.line}",
    }
