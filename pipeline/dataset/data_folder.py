"""The data folder, on a disk or on a server: what is in it, and its files, read with care."""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.dataset.safe_files import COPY_FILE, Unusable, checked_folder, checked_path, read_regular
from pipeline.io.system_files import is_system
from pipeline.io.url_folder import UrlFile, UrlFolder

Root = Path | UrlFolder  # a path is resolved
MAX_HEADER = 1 << 20  # bytes that a shard's header may have tarfile read


def names_in(root: Root, relative: str) -> list[str]:
    """Names in a folder below `root`, sorted.

    Raises:
        OSError: missing, unreadable, or a link that leads out of `root`.
    """
    if isinstance(root, UrlFolder):
        return list(root.entries(relative))
    return sorted(p.name for p in checked_folder(root, relative).iterdir())


def is_folder(root: Root, relative: str) -> bool:
    """Whether there is such a folder, or a link to one."""
    if isinstance(root, UrlFolder):
        parent, _, name = relative.rpartition("/")
        return root.entries(parent).get(name, False)
    return (root / relative).is_dir()


def is_there(root: Root, relative: str) -> bool:
    """Whether there is a file or folder of this name, or a link, however broken."""
    if isinstance(root, UrlFolder):
        return root.holds(relative)
    return (root / relative).exists() or (root / relative).is_symlink()


def files_below(root: Root, relative: str) -> list[str]:
    """Paths below `root` of the files in a folder, however deep; no link and no system folder is entered."""
    if isinstance(root, UrlFolder):
        return root.below(relative) if is_folder(root, relative) else []
    found: list[str] = []
    if not (root / relative).is_symlink():
        for folder, folders, names in os.walk(root / relative):
            folders[:] = [name for name in folders if not is_system(name)]
            found += [os.path.relpath(f"{folder}/{name}", root) for name in names]
    return sorted(found)


def read_below(root: Root, relative: str, most: int) -> bytes:
    """A regular file below `root`, of at most `most` bytes.

    Raises:
        Unusable: it is none, or cannot be read.
        UserError: the server cannot be asked.
    """
    if isinstance(root, Path):
        return read_regular(checked_path(root, relative), most)
    if relative.startswith("/") or ".." in relative.replace("\\", "/").split("/"):
        raise Unusable("it points outside the data folder", "write a path below the data folder")
    try:
        return root.read(relative, most)
    except FileNotFoundError as e:
        raise Unusable("there is no such file", COPY_FILE) from e
    except ValueError as e:
        raise Unusable(str(e), "save it smaller") from e


def open_shard(root: Root, shard: str) -> AbstractContextManager[BinaryIO]:
    """A shard, of which at most `MAX_HEADER` bytes are read at a time: a header may claim any size.

    Raises:
        Unusable: it is no regular file.
        OSError: it cannot be opened.
        UserError: the server cannot be asked.
    """
    if isinstance(root, UrlFolder):
        file = root.open(shard)
        return cast("AbstractContextManager[BinaryIO]", _ServedShard(file.url, file.size))
    return cast("AbstractContextManager[BinaryIO]", _ShardFile(checked_path(root, shard)))


def _refuse_large(size: int | None) -> None:
    if size is not None and size > MAX_HEADER:
        raise tarfile.ReadError(f"a header says that it has {size} bytes")


class _ShardFile(io.FileIO):
    def read(self, size: int | None = -1, /) -> bytes:
        _refuse_large(size)
        return super().read(size)


class _ServedShard(UrlFile):
    def read(self, size: int = -1) -> bytes:
        _refuse_large(size)
        return super().read(size)
