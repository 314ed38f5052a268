"""How well a ranking finds errors that are known because they were planted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FIRST = 0.05  # of the rows


@dataclass(frozen=True)
class Found:
    """What reading a ranking from the top gives.

    Attributes:
        average_precision: mean over the errors of the precision at each; one not listed counts 0.
        recall_first: share of the errors in the first 5 % of all that could be listed.
        rows_to_90: rows to read until 90 % of the errors are found; None where the list ends before.
        errors, rows: how many errors there are, how many rows the list has.
    """

    average_precision: float
    recall_first: float
    rows_to_90: int | None
    errors: int
    rows: int


def judged(ranking: Sequence[str], errors: set[str], candidates: int) -> Found:
    """Judges `ranking`, names with the most suspicious first, each once.

    Args:
        ranking: people, or photos.
        errors: the names that are truly wrong; at least one.
        candidates: how many names there are in all: 5 % of these are "the first 5 %".
    """
    places = [place for place, name in enumerate(ranking, 1) if name in errors]
    precision = sum(n / place for n, place in enumerate(places, 1)) / len(errors)
    first = math.ceil(FIRST * candidates)
    needed = math.ceil(0.9 * len(errors))
    return Found(
        average_precision=precision,
        recall_first=sum(place <= first for place in places) / len(errors),
        rows_to_90=places[needed - 1] if len(places) >= needed else None,
        errors=len(errors),
        rows=len(ranking),
    )
