"""A folder on a server, by its URL: `s3://bucket/photos`, `ssh://user@host/photos`. fsspec reads it.

Credentials are those that DVC uses, too: the AWS variables and files, or the SSH configuration and agent.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.runtime.errors import UserError, first_line

SCHEMES = ("s3", "ssh")  # that both DVC and fsspec know
URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
BLOCK = 8 << 20  # bytes that are fetched at once where a whole file is read
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

    def read(files: Any, path: str) -> bytes:
        if "ssh" not in files.protocol:
            return files.cat_file(path, start=offset, end=offset + size)
        with files.open(path, "rb") as f:  # its `cat_file` reads the whole file, whatever is asked for
            f.seek(offset)
            return f.read(size)

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
        """Name → whether it is a folder, of everything in a folder; raises FileNotFoundError."""
        rows = _ask(self._at(relative), lambda files, path: files.ls(path, detail=True))
        found = {posixpath.basename(row["name"].rstrip("/")): row["type"] == "directory" for row in rows}
        found.pop("", None)
        return dict(sorted(found.items()))

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
        return UrlFile(url, _ask(url, lambda files, path: files.open(path, "rb", block_size=BLOCK)))

    def _at(self, relative: str) -> str:
        return f"{self.url}/{relative}" if relative else self.url


class UrlFile:
    """A file that is open for reading; as UrlFolder it raises UserError. Use it in a `with`."""

    def __init__(self, url: str, file: Any) -> None:
        self.url, self.file = url, file

    def __enter__(self) -> UrlFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that are left."""
        return _explained(self.url, lambda: bytes(self.file.read(size)))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Goes to an offset."""
        return int(self.file.seek(offset, whence))

    def tell(self) -> int:
        """The offset at which it is."""
        return int(self.file.tell())


def _ask(url: str, question: Callable[[Any, str], Result]) -> Result:
    """What a file system says, which fsspec keeps open in this process."""
    import fsspec  # a tenth of a second, which sets on a disk do without

    return _explained(url, lambda: question(*fsspec.core.url_to_fs(url)))


def _explained(url: str, act: Callable[[], Result]) -> Result:
    try:
        return act()
    except FileNotFoundError:
        raise
    except ImportError as e:
        problem = f"{url.partition(':')[0]}:// needs a package that is not installed"
        raise UserError(problem, where=url, fix="make setup EXTRAS=remotes") from e
    except Exception as e:  # of fsspec, botocore, asyncssh and asyncio alike
        said = first_line(e) or type(e).__name__
        raise UserError("photos on a server cannot be read", where=url, got=said, fix=FIX) from e
