"""An age in years for an age group.

A correction names years, so that it stays true under any bounds, while a model or a list of another team may
say no more than "below 30". The stand-in is as far from the bounds as a group allows: rules about ages next
to a bound (29, 59) must not catch somebody whose age nobody knows. The set's oldest are 60.
"""

from __future__ import annotations

from pipeline.labels import AGE_GROUPS, read_age

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
