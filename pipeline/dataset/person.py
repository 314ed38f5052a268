"""A person's folder name in the competition's layout: `{id}_{gender}_{race}_{age}`.

The whole name is the person's key. The id is not: the real set has one id twice, for people of 19 and of 20,
and ids with `-1` and `-2` that mostly are different people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.dataset.extra import RESERVED, is_extra_key
from pipeline.io.formula import formula_problem
from pipeline.labels import GENDERS, OLDEST
from pipeline.runtime.errors import nearest

FORM = "{id}_{gender}_{race}_{age}, e.g. 000001_female_Asian_45"


@dataclass(frozen=True)
class Person:
    """A parsed folder name. `key` is the name itself."""

    key: str
    id: str
    gender: str
    race: str
    age: int


class PersonError(ValueError):
    """A folder name that does not follow the form; the text lists every fault."""


def read_person(name: str) -> Person:
    """Parses a folder name.

    Raises:
        PersonError: names every wrong field, with the nearest allowed word.
    """
    fields = name.split("_")
    if len(fields) != 4:
        raise PersonError(f"has {len(fields)} fields instead of 4; the form is {FORM}")
    id_, gender, race, age = fields
    wrong: list[str] = []
    if not id_.strip():
        wrong.append("id is empty")
    elif problem := RESERVED if is_extra_key(name) else formula_problem(name):
        wrong.append(problem)
    if gender not in GENDERS:
        close = nearest(gender.lower(), GENDERS)
        hint = f", did you mean {close!r}?" if close else ""
        wrong.append(f"gender is {gender!r}{hint}; allowed: {', '.join(GENDERS)}")
    if not race.strip():
        wrong.append("race is empty")
    if not re.fullmatch(r"0|[1-9][0-9]{0,2}", age) or int(age) > OLDEST:
        wrong.append(
            f"age is {age!r}; allowed: whole years from 0 to {OLDEST}, without spaces or leading zeros"
        )
    if wrong:
        raise PersonError("; ".join(wrong))
    return Person(name, id_, gender, race, int(age))
