"""Finds people by folder name, by id, or by an id without its leading zeros.

An id is not a key: the real set has `003397` twice, and `001498-1` and `001498` are mostly different people.
Ambiguous ids are refused with the possible folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.io.spelling import nfc
from pipeline.runtime.errors import nearest

DIGITS = 6  # of an id in the competition's set


class UnknownPerson(ValueError):
    """An unknown or ambiguous person; the text lists the candidates."""


class PersonSearch:
    """Looks up people by the names in a list.

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
            UnknownPerson: no person or several people match.
        """
        text = nfc(text)
        if text in self._known:
            return self._known[text]
        id_ = _pad_zeros(text)
        matches = self._by_id.get(id_, [])
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise UnknownPerson(
                f"{text!r} is the id of {len(matches)} people: {' and '.join(matches)}; name the folder"
            )
        similar = self._by_bare.get(id_.split("-")[0], [])
        if similar and "_" not in text:
            raise UnknownPerson(
                f"nobody has the id {text!r}; {' and '.join(similar)} only looks like it "
                "(-1 and -2 are mostly other people); name the folder"
            )
        hint = " or ".join(self._by_id.get(id_of(text), [])) or nearest(text, self._close(text))
        raise UnknownPerson(f"nobody is called {text!r}" + (f"; did you mean {hint}?" if hint else ""))

    def short(self, person: str) -> str:
        """The id if it is unique, else the whole name."""
        id_ = id_of(person)
        same_id = [nfc(p) for p in self._by_id.get(nfc(id_), [])]
        return id_ if same_id == [nfc(person)] else person

    def _close(self, text: str) -> list[str]:
        return [p for p in self.people if nfc(p)[:4] == text[:4]]


def id_of(person: str) -> str:
    """`001498-1` of `001498-1_male_Asian_23`."""
    return person.split("_")[0]


def _pad_zeros(text: str) -> str:
    """Restores zeros lost in spreadsheets: `6359` and `6359.0` → `006359`, `1498-1` → `001498-1`."""
    match = re.fullmatch(r"([0-9]+)(-[0-9]+)?(\.0)?", text)
    return match[1].zfill(DIGITS) + (match[2] or "") if match else text
