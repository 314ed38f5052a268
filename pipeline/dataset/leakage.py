"""Leakage: extra people (`pipeline.dataset.extra`) who are among those to validate on or to predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from pipeline.dataset.extra import is_extra_key
from pipeline.dataset.listing import Candidate, Rejected


class Facts(Protocol):
    """What is known of a photo's bytes."""

    @property
    def sha256(self) -> str: ...


Known = TypeVar("Known", bound=Facts)


def drop_known_people(
    photos: Sequence[tuple[Candidate, Known]], reject: Callable[[Rejected], None]
) -> list[tuple[Candidate, Known]]:
    """The photos without those extra people of whom a photo is among the others, byte for byte.

    The other photo may be validated on, or predicted: learning its twin would be a leak.

    Args:
        photos: all that can be read.
        reject: called with each photo that is left out; none counts against ingest.max_quarantine.
    """
    own = {facts.sha256: photo.image for photo, facts in photos if not is_extra_key(photo.person)}
    twins: dict[str, tuple[str, str]] = {}
    for photo, facts in photos:
        if is_extra_key(photo.person) and facts.sha256 in own:
            twins.setdefault(photo.person, (photo.image, own[facts.sha256]))
    kept: list[tuple[Candidate, Known]] = []
    for photo, facts in photos:
        if photo.person not in twins:
            kept.append((photo, facts))
            continue
        image, other = twins[photo.person]
        why = f"{image} is the same file as {other}: learning this extra person would leak it"
        fix = "nothing to do, or remove one of the two files"
        reject(Rejected(photo.image, why, fix, counts=False))
    return kept
