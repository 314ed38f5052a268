"""A folder on a server, by its URL: `s3://bucket/photos`, `ssh://user@host/photos`. fsspec reads it.

Credentials are those that DVC uses, too: the AWS variables and files, or the SSH configuration and agent.
A missing file is a FileNotFoundError only where the server answered that there is none.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pipeline.runtime.errors import UserError, first_line

SCHEMES = ("s3", "ssh")  # that both DVC and fsspec know
URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
AHEAD = 1 << 20  # bytes that are fetched at once where a whole file is read: of large photos, few
FIX = "look at the network, the server and the credentials, then run again: no output was changed"

Result = TypeVar("Result")


def is_url(text: str) -> bool:
    """Whether a place is a URL, not a path."""
    return URL.match(text) is not None


def folder_of(root: str) -> Path | UrlFolder:
    """What `data.root` means."""
    return UrlFolder(root.rstrip("/")) if is_url(root) else Path(root)


def read_url(url: str, offset: int, size: int) -> bytes:
    """`size` bytes of the file at a URL from `offset` on; fewer where it ends before.

    Raises:
        FileNotFoundError: there is none.
        UserError: it cannot be read.
    """
    if size == 0:
        return b""

    def read(files: Any, path: str) -> bytes:
        if "ssh" in files.protocol:  # its `cat_file` reads the whole file, whatever is asked for
            with files.open(path, "rb") as f:
                f.seek(offset)
                return f.read(size)
        length = int(files.info(path)["size"]) if offset == 0 else offset + size
        if length == 0:  # a part of an empty object cannot be asked for
            return b""
        return files.cat_file(path, start=offset, end=min(offset + size, length))

    return _ask(url, read)


@dataclass(frozen=True)
class UrlFolder:
    """A folder by its URL, without a slash at the end; picklable, keeps no connection.

    Every method raises UserError where the server cannot be asked.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def resolve(self) -> UrlFolder:
        """Itself: there are no links to follow, as in a path."""
        return self

    def entries(self, relative: str = "") -> dict[str, bool]:
        """Name → whether it is a folder, of everything in a folder, as it was when this process first asked.

        Raises:
            FileNotFoundError: there is none.
            UserError: it holds a link, which a server would follow out of the folder.
        """
        return _listing(self._at(relative))

    def holds(self, relative: str) -> bool:
        """Whether there is such a file or folder."""
        return _ask(self._at(relative), lambda files, path: bool(files.exists(path)))

    def below(self, relative: str) -> list[str]:
        """Paths below this folder of all files in a folder, however deep."""
        base = self._at(relative)
        found = _ask(base, lambda files, path: [(path.rstrip("/"), file) for file in files.find(path)])
        return sorted(f"{relative}/{posixpath.relpath(file, path)}" for path, file in found)

    def read(self, relative: str, most: int) -> bytes:
        """A file; raises FileNotFoundError, or ValueError where it has more than `most` bytes."""
        data = read_url(self._at(relative), 0, most + 1)
        if len(data) > most:
            raise ValueError(f"it has more than {most} bytes")
        return data

    def open(self, relative: str) -> UrlFile:
        """A file, to be read from its start to its end; raises FileNotFoundError."""
        url = self._at(relative)
        return UrlFile(url, _ask(url, lambda files, path: int(files.info(path)["size"])))

    def _at(self, relative: str) -> str:
        return f"{self.url}/{relative}" if relative else self.url


class UrlFile:
    """A file of `size` bytes, read in blocks; as UrlFolder it raises UserError. Use it in a `with`."""

    def __init__(self, url: str, size: int) -> None:
        self.url, self.size, self.at = url, size, 0
        self._begin, self._block = 0, b""

    def __enter__(self) -> UrlFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._block = b""

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that are left."""
        end = self.size if size < 0 else min(self.at + size, self.size)
        if end <= self.at:
            return b""
        if not self._begin <= self.at or end > self._begin + len(self._block):
            self._begin = self.at
            self._block = read_url(self.url, self.at, min(max(end - self.at, AHEAD), self.size - self.at))
        data = self._block[self.at - self._begin : end - self._begin]
        self.at += len(data)
        return data

    def seek(self, offset: int) -> int:
        """Goes to an offset from the start."""
        self.at = offset
        return offset

    def tell(self) -> int:
        """The offset at which it is."""
        return self.at


@lru_cache(maxsize=64)  # each shard is looked up in its folder
def _listing(url: str) -> dict[str, bool]:
    def rows_in(files: Any, path: str) -> dict[str, str]:
        rows = {row["name"].rstrip("/"): str(row["type"]) for row in files.ls(path, detail=True)}
        rows.pop(path.rstrip("/"), None)  # S3 may hold an empty object in place of a folder
        return {posixpath.basename(name): rows[name] for name in sorted(rows)}

    found = _ask(url, rows_in)
    if links := [name for name, kind in found.items() if kind == "link"]:
        problem = "the data folder on a server holds a link, which is not followed"
        raise UserError(problem, where=f"{url}/{links[0]}", fix="copy the file or folder itself there")
    return {name: kind == "directory" for name, kind in found.items()}


def _ask(url: str, question: Callable[[Any, str], Result]) -> Result:
    """What a file system says, which fsspec keeps open in this process."""
    try:
        files, path = _connected(url)
    except ImportError as e:
        problem = f"{url.partition(':')[0]}:// needs a package that is not installed"
        raise UserError(problem, where=url, fix="make setup EXTRAS=remotes") from e
    except Exception as e:  # a missing key file, too, says nothing about a photo
        raise _unreadable(url, e) from e
    try:
        return question(files, path)
    except FileNotFoundError:
        raise
    except Exception as e:  # of fsspec, botocore, asyncssh and asyncio alike
        raise _unreadable(url, e) from e


def _connected(url: str) -> tuple[Any, str]:
    import fsspec  # a tenth of a second, which sets on a disk do without

    # sshfs would take any host for the right one; () is asyncssh's way to say ~/.ssh/known_hosts
    return fsspec.core.url_to_fs(url, **({"known_hosts": ()} if url.startswith("ssh:") else {}))


def _unreadable(url: str, error: Exception) -> UserError:
    said = first_line(error) or type(error).__name__
    return UserError("photos on a server cannot be read", where=url, got=said, fix=FIX)
