"""Weights of networks: found by name, fetched once, checked before use.

`weights.lock` (TOML, in the repository's root) names what can be fetched. The files live in `.cache/weights/`
of the main repository, so that experiments in temporary folders share them.
"""

from __future__ import annotations

import hashlib
import http.client
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.io.atomic import atomic_file
from pipeline.runtime.errors import UserError, nearest
from pipeline.runtime.progress import say, track

LOCK = Path(__file__).resolve().parent.parent.parent / "weights.lock"
BLOCK = 1 << 18
TIMEOUT_SECONDS = 30.0


class Entry(BaseModel):
    """One file that can be fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    sha256: str = Field(pattern="^([0-9a-f]{64})?$")  # "" = not known yet: such a file is refused
    bytes: int = Field(ge=0)
    licence: str
    what: str


def read_lock(path: Path = LOCK) -> dict[str, Entry]:
    """Names and entries of weights.lock.

    Raises:
        UserError: the file is missing or invalid.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: Entry.model_validate(entry) for name, entry in raw.items()}
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as e:
        raise UserError(
            "weights.lock cannot be read", where=path, got=str(e), fix="`git checkout weights.lock`"
        ) from e


def resolve(name_or_path: str, root: Path, lock: Path = LOCK) -> Path:
    """The file that `name_or_path` means, fetched if need be; a named one is checked by size and sha256.

    Args:
        name_or_path: a name in weights.lock, which wins, or the path of a local file, taken as it is.
        root: the folder with `.cache`: the main repository's, also in a temporary experiment.
        lock: the lock file.

    Raises:
        UserError: neither a name nor a file; not what weights.lock says; nothing there and no network.
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
    target = weights_folder(root) / name_or_path
    _refuse_unknown(name_or_path, entry, target, lock)
    if not (target.is_file() and target.stat().st_size == entry.bytes and sha256_of(target) == entry.sha256):
        fetch(name_or_path, entry, target)
    return target


def weights_folder(root: Path) -> Path:
    """The folder of fetched weights."""
    return root / ".cache" / "weights"


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def fetch(name: str, entry: Entry, target: Path) -> None:
    """Downloads `entry` to `target`; what is there stays until the new file is whole and checked.

    Raises:
        UserError: no connection, cut off, or not the file that weights.lock describes.
    """
    say(f"fetching {name} ({entry.bytes / 1e6:.1f} MB, {entry.licence}) from {entry.url}")
    digest = hashlib.sha256()
    got = 0
    with atomic_file(target) as part:
        try:
            request = urllib.request.Request(entry.url, headers={"User-Agent": "cleanplate"})
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response, part.open("wb") as out:
                for block in track(
                    _blocks(response, entry.bytes), -(-entry.bytes // BLOCK), name, unit="blocks"
                ):
                    digest.update(block)
                    got += len(block)
                    out.write(block)
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as e:
            raise _cannot_fetch(name, entry, target, f"{e or type(e).__name__}") from e
        if got < entry.bytes:
            raise _cannot_fetch(
                name, entry, target, f"the connection was cut after {got:,} of {entry.bytes:,} bytes"
            )
        if got > entry.bytes or digest.hexdigest() != entry.sha256:
            raise UserError(
                f"what came for {name} is not the file that weights.lock describes; it was thrown away",
                where=entry.url,
                got=f"at least {got:,} bytes, sha256 {digest.hexdigest()}",
                allowed=f"{entry.bytes:,} bytes, sha256 {entry.sha256}",
                fix=f"try again, or put the right file at {target}",
            )


def _blocks(response: IO[bytes], limit: int) -> Iterator[bytes]:
    """The response in blocks, at most one byte more than `limit`, to detect a file that is too long."""
    remaining = limit + 1
    while remaining > 0 and (block := response.read(min(BLOCK, remaining))):
        remaining -= len(block)
        yield block


def _cannot_fetch(name: str, entry: Entry, target: Path, reason: str) -> UserError:
    return UserError(
        f"{name} is not here whole and could not be fetched: put the file at {target}, "
        "or set a local path instead of its name in params.yaml, or get online and run this again",
        where=entry.url,
        got=reason,
    )


def _refuse_unknown(name: str, entry: Entry, target: Path, lock: Path) -> None:
    """Refuses an entry without sha256: downloads are used only with a known checksum."""
    if entry.sha256:
        return
    got = f'sha256 = "{sha256_of(target)}", bytes = {target.stat().st_size}' if target.is_file() else None
    raise UserError(
        f"the sha256 of {name} is not known, so it is neither fetched nor loaded",
        where=lock,
        got=got and f"the file at {target} has {got}",
        fix=f"download {entry.url} to {target}, then, if you trust it, "
        "write its sha256 and bytes into weights.lock; or set a local path in params.yaml",
    )
