"""Parses rules, `gender:female:male`, `mask:incorrect:worn@incorrect_mask`, `swap:incorrect_mask:normal`,
`drop`, and the values in rules and lists.
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
        ValueError: not a rule; lists the allowed forms.
    """
    head, _, photo = text.strip().partition("@")
    kind, *values = head.split(":")
    needs = 0 if kind == "drop" else 2
    if (
        kind not in KINDS
        or len(values) != needs
        or (kind == "mask" and not photo)
        or (kind == "swap" and photo)
    ):
        raise ValueError(f"{text!r} is not a rule; allowed: {RULES}")
    rule = Rule(kind, *values, photo=photo)
    if kind in ("gender", "age", "mask"):
        read_value(kind, rule.new, "new")
    return rule


def read_value(field: str, text: str, column: str) -> tuple[str, str]:
    """A value as spelled in the labels, and a note about it (or "").

    Raises:
        ValueError: the text lists the allowed values.
    """
    if field not in ("gender", "age", "mask"):
        close = nearest(field, ["gender", "age", "mask", "drop"])
        raise ValueError(f"field is {field!r}" + (f", did you mean {close!r}?" if close else ""))
    if not text:
        raise ValueError(f"{column} is empty; field {field} needs it")
    if field == "age":
        years, note = parse_years(text)
        return str(years), note
    return (read_gender if field == "gender" else read_mask)(text), ""


GROUP_AGES = dict(zip(AGE_GROUPS, (20, 45, 60), strict=True))
ALIASES = {"≥60": ">=60", ">=60": ">=60", "60+": ">=60", "30–59": "30-59", "<30": "<30"}


def parse_years(text: str) -> tuple[int, str]:
    """Years from a cell with years or an age group, and a note (`""` or `20 stands for <30`).

    Raises:
        ValueError: neither; the text lists the allowed values.
    """
    word = text.replace(" ", "")
    word = ALIASES.get(word, word)
    if word in GROUP_AGES:
        return GROUP_AGES[word], f"{GROUP_AGES[word]} stands for {word}"
    try:
        return read_age(text), ""
    except ValueError as e:
        raise ValueError(f"{e}, or one of {', '.join(AGE_GROUPS)}") from e
