"""What is wrong with everybody on a list: `gender:female:male`, `mask:incorrect:worn@incorrect_mask`,
`swap:incorrect_mask:normal`, `drop`; and the values that such rules and lists hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.labels import AGE_GROUPS, read_age, read_gender, read_mask
from pipeline.runtime.errors import nearest

KINDS = ("gender", "age", "mask", "swap", "drop")
RULES = "gender:OLD:NEW, age:OLD:NEW, mask:OLD:NEW@PHOTO, swap:PHOTO:PHOTO, drop; OLD may be empty"


@dataclass(frozen=True)
class Rule:
    """`old` and `new` are values, for kind swap photos; `photo` empty = all photos of the person."""

    kind: str
    old: str = ""
    new: str = ""
    photo: str = ""


def read_rule(text: str) -> Rule:
    """Parses a rule.

    Raises:
        ValueError: it is none; with the forms that are allowed.
    """
    said, _, photo = text.strip().partition("@")
    kind, *values = said.split(":")
    needs = 0 if kind == "drop" else 2
    if (
        kind not in KINDS
        or len(values) != needs
        or (kind == "mask" and not photo)
        or (kind == "swap" and photo)
    ):
        raise ValueError(f"{text!r} is no rule; allowed: {RULES}")
    rule = Rule(kind, *values, photo=photo)
    if kind in ("gender", "age", "mask"):
        read_value(kind, rule.new, "new")
    return rule


def read_value(field: str, text: str, column: str) -> tuple[str, str]:
    """A value as the labels write it, and a note about it (or "").

    Raises:
        ValueError: with one sentence that says what is allowed.
    """
    if field not in ("gender", "age", "mask"):
        close = nearest(field, ["gender", "age", "mask", "drop"])
        raise ValueError(f"field is {field!r}" + (f", did you mean {close!r}?" if close else ""))
    if not text:
        raise ValueError(f"{column} is empty; field {field} needs it")
    if field == "age":
        years, note = years_of(text)
        return str(years), note
    return (read_gender if field == "gender" else read_mask)(text), ""


STAND_INS = dict(zip(AGE_GROUPS, (20, 45, 60), strict=True))
ALSO = {"≥60": ">=60", ">=60": ">=60", "60+": ">=60", "30–59": "30-59", "<30": "<30"}


def years_of(text: str) -> tuple[int, str]:
    """Years from a cell with years or an age group, and a note (`""` or `20 stands for <30`).

    Raises:
        ValueError: neither; with one sentence that says what is allowed.
    """
    word = text.replace(" ", "")
    word = ALSO.get(word, word)
    if word in STAND_INS:
        return STAND_INS[word], f"{STAND_INS[word]} stands for {word}"
    try:
        return read_age(text), ""
    except ValueError as e:
        raise ValueError(f"{e}, or one of {', '.join(AGE_GROUPS)}") from e
