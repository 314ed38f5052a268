"""Pictures on their way into tar shards: each thread of each process appends them to a file of its own."""

from __future__ import annotations

import mmap
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
Pictures = Mapping[str, tuple[mmap.mmap, int, int]]  # by name: the spool, offset and size in it

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
    with ExitStack() as stack:
        pictures: dict[str, tuple[mmap.mmap, int, int]] = {}
        for path in spools:
            with path.open("rb") as f:
                if os.fstat(f.fileno()).st_size:
                    spool = stack.enter_context(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))
                    pictures.update(_read(spool))
        yield pictures
    for path in spools:
        path.unlink()


@cache
def _process_name(pid: int) -> str:
    """The name of this process, also among machines that share a folder."""
    return f"{pid}-{secrets.token_hex(4)}"


def _read(spool: mmap.mmap) -> Iterator[tuple[str, tuple[mmap.mmap, int, int]]]:
    """Name and place of each picture in a spool, but for one that a killed worker left half-written."""
    at = 0
    while at + HEAD.size <= len(spool):
        name, size = HEAD.unpack_from(spool, at)
        at += HEAD.size
        if at + name + size > len(spool):
            return
        yield os.fsdecode(spool[at : at + name]), (spool, at + name, size)
        at += name + size
