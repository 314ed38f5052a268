"""Pictures on their way into tar shards: each thread of each process appends them to a file of its own."""

from __future__ import annotations

import os
import secrets
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from io import FileIO
from pathlib import Path

SPOOL = ".spool-"
HEAD = struct.Struct(">QQ")  # before a picture: bytes of its name, bytes of its content
USUAL_NAME = 100  # bytes of a name that are read with the numbers before it
Pictures = Mapping[str, tuple[FileIO, int, int]]  # by name: the spool, offset and size in it

_open: dict[str, FileIO] = {}  # this process's spools; opening one for each picture takes as long as writing


def append(folder: Path, name: str, content: bytes) -> None:
    """Appends a picture to this thread's spool in `folder`.

    Raises:
        OSError: the disk is full.
    """
    encoded = os.fsencode(name)
    path = f"{folder}/{SPOOL}{_process_name(os.getpid())}-{threading.get_ident()}"
    if path in _open and not os.fstat(_open[path].fileno()).st_nlink:  # an earlier folder of this name
        _open.pop(path).close()
    spool = _open.get(path)
    if spool is None:
        spool = _open[path] = FileIO(path, "a")
    record = HEAD.pack(len(encoded), len(content)) + encoded + content
    if spool.write(record) != len(record):
        raise OSError(28, os.strerror(28), path)


def close_spools() -> None:
    """Closes this process's spools, so that a machine which shares the disk over a network sees all of them.

    Raises:
        OSError: the disk is full.
    """
    while _open:
        _open.popitem()[1].close()


@contextmanager
def spooled(folder: Path) -> Iterator[Pictures]:
    """The pictures in all spools of `folder`, which are removed afterwards. Call once all are written."""
    for path in [path for path in _open if path.startswith(f"{folder}/{SPOOL}")]:
        _open.pop(path).close()
    spools = sorted(folder.glob(f"{SPOOL}*"))
    with ExitStack() as stack:  # files, not maps of them: these would count as memory of the process
        pictures: dict[str, tuple[FileIO, int, int]] = {}
        for path in spools:
            pictures.update(_places(stack.enter_context(FileIO(path))))
        yield pictures
    for path in spools:
        path.unlink()


@cache
def _process_name(pid: int) -> str:
    """The name of this process, also among machines that share a folder."""
    return f"{pid}-{secrets.token_hex(4)}"


def read_spooled(pictures: Pictures, name: str) -> bytes:
    """The bytes of a picture."""
    spool, offset, size = pictures[name]
    return os.pread(spool.fileno(), size, offset)


def _places(spool: FileIO) -> Iterator[tuple[str, tuple[FileIO, int, int]]]:
    """Name and place of each picture in a spool, but for one that a killed worker left half-written."""
    at, end = 0, os.fstat(spool.fileno()).st_size
    while at + HEAD.size <= end:
        start = os.pread(spool.fileno(), HEAD.size + USUAL_NAME, at)  # in most cases all of the name, too
        length, size = HEAD.unpack_from(start)
        at += HEAD.size
        if at + length + size > end:
            return
        name = start[HEAD.size :][:length]
        if length > len(name):
            name = os.pread(spool.fileno(), length, at)
        yield os.fsdecode(name), (spool, at + length, size)
        at += length + size
