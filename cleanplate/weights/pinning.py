"""A checksum for a row of weights.lock that has none: fetch once, show, ask, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tomlkit

from cleanplate.weights.contents import contents
from pipeline.io.atomic import atomic_file, write_text
from pipeline.networks.weights import obtain, sha256_of, weights_folder
from pipeline.networks.weights_lock import Entry, parse_lock, read_lock, row
from pipeline.runtime.disk import format_bytes
from pipeline.runtime.errors import UserError, printable


def pin(name: str, root: Path, lock: Path, agree: Callable[[str], bool]) -> bool:
    """Writes the sha256 and size of the row's file into the lock, if `agree` says yes to what is shown.

    Takes the file in `.cache/weights`, else fetches it, and removes that again after a no.

    Args:
        name: a row without a sha256.
        root: the folder with `.cache`.
        lock: weights.lock; its comments and other rows stay as they are.
        agree: shows the description and returns the answer.

    Returns:
        Whether it was written.

    Raises:
        UserError: no such row, one with a sha256, or the file is unobtainable.
    """
    entry = unpinned(name, lock)
    with _file(name, entry, weights_folder(root) / name) as file:
        sha256, size = sha256_of(file), file.stat().st_size
        if not agree(description(name, entry, file, sha256)):
            raise _Refused
        write_text(lock, pinned(lock.read_text(encoding="utf-8"), name, sha256, size, lock))
        return True
    return False


def unpinned(name: str, lock: Path) -> Entry:
    """The row `name`, which must have no sha256 yet.

    Raises:
        UserError: there is no such row, or it has one.
    """
    entry = row(read_lock(lock), name, lock)
    if entry.sha256:
        raise UserError(
            f"{name} already has a sha256",
            where=lock,
            got=entry.sha256,
            allowed='a row with sha256 = ""',
            fix="no action needed; for another file add a new row",
        )
    return entry


def description(name: str, entry: Entry, file: Path, sha256: str) -> str:
    """What a person looks at before the yes."""
    size = file.stat().st_size
    facts = {
        "from": entry.origin,
        "size": f"{format_bytes(size)} ({size:,} bytes)",
        "sha256": sha256,
        "holds": str(contents(file, name)),
        "licence": entry.licence,
        "what": entry.what,
    }
    return "\n".join([name, *(f"  {key:<8} {printable(value)}" for key, value in facts.items())])


def pinned(text: str, name: str, sha256: str, size: int, lock: Path) -> str:
    """The lock's text with a row's sha256 and size in it, all else as it was.

    Raises:
        UserError: the text would say something else of any row.
    """
    document = tomlkit.parse(text)
    table = document[name]
    table["sha256"] = sha256  # pyright: ignore[reportIndexIssue]  (tomlkit's types: any item)
    table["bytes"] = size  # pyright: ignore[reportIndexIssue]
    changed = tomlkit.dumps(document)
    before, after = parse_lock(text, lock), parse_lock(changed, lock)
    if after != before | {name: before[name].model_copy(update={"sha256": sha256, "bytes": size})}:
        raise UserError(
            "weights.lock could not be changed in this row alone",
            where=lock,
            got=name,
            fix=f'write into the row by hand: sha256 = "{sha256}", bytes = {size}',
        )
    return changed


class _Refused(Exception):
    """The answer was no."""


@contextmanager
def _file(name: str, entry: Entry, place: Path) -> Iterator[Path]:
    """The row's file: at its place, or fetched beside it and moved there if all goes well; ends at a no."""
    try:
        if place.is_file():
            yield place
            return
        with atomic_file(place) as part:
            obtain(name, entry, part, place)
            yield part
    except _Refused:
        return
