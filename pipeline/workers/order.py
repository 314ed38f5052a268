"""A work order: what an engine runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """One function over many items.

    Attributes:
        factory: picklable; called once by each worker to load what it needs (a network, a table). Returns
            the function from an item to its result.
        items: picklable, small (paths, rows), not pixels.
        chunk: items that are worth one hand-over.
        name: how to call an item in an error.
    """

    factory: Callable[[], Callable[[Any], Any]]
    items: Sequence[Any]
    chunk: int
    name: Callable[[Any], str]
