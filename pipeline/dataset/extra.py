"""Other people's photos below ROOT/extra: learnt from, and never validated on or predicted.

Their keys begin with `extra:`, so that nobody there is taken for somebody of the same name in ROOT/train, and
their fold is -1, which no split.validation_fold is.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

PREFIX = "extra:"
NO_FOLD = -1
RESERVED = f"`{PREFIX}` is for extra people, who are named without it"


def extra_key(person: str) -> str:
    """The key of somebody of ROOT/extra."""
    return f"{PREFIX}{person}"


def is_extra_key(person: str) -> bool:
    """Whether this is the key of somebody of ROOT/extra."""
    return person.startswith(PREFIX)


def is_extra(people: Iterable[str]) -> pd.Series[bool]:
    """bool [N]: who of these people is of ROOT/extra."""
    return pd.Series(list(people), dtype="str").str.startswith(PREFIX)
