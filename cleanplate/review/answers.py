"""People and suspects as the page gets them: ids, labels and names, never a path."""

from __future__ import annotations

from typing import Any

from cleanplate.review.people import Person
from cleanplate.review.suspects import Suspect
from cleanplate.review.tables import Placed, Tables, settles, standing


def suspect_answer(suspect: Suspect, tables: Tables) -> dict[str, Any]:
    """A suspect, and the row that settles it, if there is one."""
    photo = next((p.id for p in suspect.person.photos if p.image == suspect.image), "")
    settled = standing(tables, suspect.person, suspect.image, suspect.field)
    return {
        "number": suspect.number,
        "person": suspect.person.id,
        "name": suspect.person.name,
        "photo": photo,
        "field": suspect.field,
        "old": suspect.old,
        "proposed": suspect.proposed,
        "value": suspect.value,
        "note": suspect.stand_in,
        "confidence": suspect.confidence,
        "why": suspect.why,
        "decided": _placed(settled[0]) if settled else None,
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
            {**_placed(placed), "photos": [p.id for p in person.photos if _touches(placed, p.image)]}
            for placed in tables.about(person.name)
        ],
    }


def _touches(placed: Placed, image: str) -> bool:
    return settles(placed.row, image, placed.row.field)


def _placed(placed: Placed) -> dict[str, Any]:
    row = placed.row
    kept = hasattr(row, "value")
    return {
        "kind": "keep" if kept else "drop" if row.field == "drop" else "correct",
        "field": row.field,
        "value": getattr(row, "value", getattr(row, "new", "")),
        "source": row.source,
        "where": f"{placed.file} line {placed.line}",
    }
