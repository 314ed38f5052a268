"""Who is meant by the ids that lists of corrections use: whole folder names, ids, ids that lost their zeros.

An id is no key: the real set has `003397` twice, and `001498-1` is mostly another person than `001498` would
be. What is not certain is refused with the folders it could be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.io.spelling import nfc
from pipeline.runtime.errors import nearest

DIGITS = 6  # of an id in the competition's set


class NotFound(ValueError):
    """Nobody, or more than one, is meant; the text says who it could be."""


class PersonSearch:
    """Finds people by what a list calls them.

    Args:
        people: all folder names (the csv layout's `person`).
    """

    def __init__(self, people: Iterable[str]) -> None:
        self.people = sorted(set(people))
        self._known = {nfc(person): person for person in self.people}
        self._by_id: dict[str, list[str]] = {}
        self._by_bare: dict[str, list[str]] = {}
        for person in self.people:
            id_ = nfc(id_of(person))
            self._by_id.setdefault(id_, []).append(person)
            self._by_bare.setdefault(id_.split("-")[0], []).append(person)

    def find(self, text: str) -> str:
        """The one person that `text` names.

        Raises:
            NotFound: nobody or several people could be meant.
        """
        text = nfc(text)
        if text in self._known:
            return self._known[text]
        id_ = _with_zeros(text)
        found = self._by_id.get(id_, [])
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFound(
                f"{text!r} is the id of {len(found)} people: {' and '.join(found)}; name the folder"
            )
        alike = self._by_bare.get(id_.split("-")[0], [])
        if alike and "_" not in text:
            raise NotFound(
                f"nobody has the id {text!r}; {' and '.join(alike)} only looks like it "
                "(-1 and -2 are mostly other people); name the folder"
            )
        hint = " or ".join(self._by_id.get(id_of(text), [])) or nearest(text, self._close(text))
        raise NotFound(f"nobody is called {text!r}" + (f"; did you mean {hint}?" if hint else ""))

    def short(self, person: str) -> str:
        """The id if that is enough to find `person`, else the whole name."""
        id_ = id_of(person)
        found = [nfc(p) for p in self._by_id.get(nfc(id_), [])]
        return id_ if found == [nfc(person)] else person

    def _close(self, text: str) -> list[str]:
        return [p for p in self.people if nfc(p)[:4] == text[:4]]


def id_of(person: str) -> str:
    """`001498-1` of `001498-1_male_Asian_23`."""
    return person.split("_")[0]


def _with_zeros(text: str) -> str:
    """`6359` as spreadsheets leave it is `006359`; `1498-1` is `001498-1`, `6359.0` is `006359`."""
    match = re.fullmatch(r"([0-9]+)(-[0-9]+)?(\.0)?", text)
    return match[1].zfill(DIGITS) + (match[2] or "") if match else text
