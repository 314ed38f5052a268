"""A work order: what an engine runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.io.parcel import Source


def nothing_read(item: Any) -> Iterable[Source]:
    """The sources of an item that needs no file."""
    return ()


def nothing_compared() -> dict[str, Any]:
    """The facts of a function that is the same on every machine."""
    return {}


@dataclass(frozen=True)
class Work:
    """One function over many items.

    Attributes:
        factory: picklable; called once by each worker to load what it needs (a network, a table). Returns
            the function from an item to its result.
        items: picklable, small (paths, rows), not pixels.
        chunk: items that are worth one hand-over.
        name: how to call an item in an error.
        reads: the files that the function reads for an item, for workers that do not see them.
        same: picklable; JSON values that must be equal on every machine for equal results.
        needs: folders of the project that every worker reads; who does not see them gets them once.
    """

    factory: Callable[[], Callable[[Any], Any]]
    items: Sequence[Any]
    chunk: int
    name: Callable[[Any], str]
    reads: Callable[[Any], Iterable[Source]] = nothing_read
    same: Callable[[], dict[str, Any]] = nothing_compared
    needs: Sequence[str] = ()
