"""Other people's photos below ROOT/extra: learnt from, and never validated on or predicted.

Their keys begin with `extra:`, so that nobody there is taken for somebody of the same name in ROOT/train, and
their fold is -1, which no split.validation_fold is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import pandas as pd

from pipeline.dataset.listing import Candidate, Rejected

PREFIX = "extra:"
NO_FOLD = -1


class Facts(Protocol):
    """What is known of a photo's bytes."""

    @property
    def sha256(self) -> str: ...


Known = TypeVar("Known", bound=Facts)


def extra_key(person: str) -> str:
    """The key of somebody of ROOT/extra."""
    return f"{PREFIX}{person}"


def is_extra(people: Iterable[str]) -> pd.Series[bool]:
    """bool [N]: who of these people is of ROOT/extra."""
    return pd.Series(list(people), dtype="str").str.startswith(PREFIX)


def drop_known_people(
    photos: Sequence[tuple[Candidate, Known]], reject: Callable[[Rejected], None]
) -> list[tuple[Candidate, Known]]:
    """The photos without those extra people of whom a photo is among the others, byte for byte.

    The other photo may be validated on, or predicted: learning its twin would be a leak.

    Args:
        photos: all that can be read.
        reject: called with each photo that is left out; none counts against ingest.max_quarantine.
    """
    own = {facts.sha256: photo.image for photo, facts in photos if not photo.person.startswith(PREFIX)}
    twins: dict[str, tuple[str, str]] = {}
    for photo, facts in photos:
        if photo.person.startswith(PREFIX) and facts.sha256 in own:
            twins.setdefault(photo.person, (photo.image, own[facts.sha256]))
    kept: list[tuple[Candidate, Known]] = []
    for photo, facts in photos:
        if photo.person not in twins:
            kept.append((photo, facts))
            continue
        image, other = twins[photo.person]
        why = f"an extra person who is no other: {image} is {other}, byte for byte"
        reject(Rejected(photo.image, why, "nothing to do; they are left out of extra", counts=False))
    return kept
