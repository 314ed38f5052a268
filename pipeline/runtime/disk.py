"""Room on disks: whether there will be enough, and whether an error came of there being none."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)
SAID = ("no space left on device", "disk quota exceeded")  # where a library's error has no errno
SHARED_MEMORY = Path("/dev/shm")  # where Linux keeps the semaphores of processes that work together
LAST_BYTES = 1 << 16  # less free than this, and an error of any kind came of it


def existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write on the file system that `path` is, or will be, on."""
    return shutil.disk_usage(existing(path)).free


def same_disk(first: Path, second: Path) -> bool:
    """Whether both are, or will be, on one file system."""
    return existing(first).stat().st_dev == existing(second).stat().st_dev


def require_room(path: Path, needed: float, what: str) -> None:
    """Refuses to begin what is known not to fit.

    Args:
        path: where it will be written.
        needed: bytes.
        what: who writes, for the error.

    Raises:
        UserError: the file system of `path` has less than `needed` bytes free.
    """
    free = free_bytes(path)
    if free < needed:
        raise UserError(
            f"{what} will not fit on the disk, so it was not begun",
            where=path,
            got=f"{size_text(free)} free",
            allowed=f"about {size_text(needed)}",
            fix="free some space (`cleanplate cache --prune 0`, `dvc gc --workspace`), or use another disk",
        )


def is_full(error: BaseException, path: Path) -> bool:
    """Whether `error`, raised while writing below `path`, came of a full disk."""
    if isinstance(error, UserError) or not isinstance(error, Exception):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        if any(said in str(cause).lower() for said in SAID):
            return True
        cause = cause.__cause__ or cause.__context__
    return (
        isinstance(error, (OSError, RuntimeError))
        and os.access(path, os.F_OK)
        and free_bytes(path) < LAST_BYTES
    )


def disk_full(path: Path) -> UserError:
    """The error that names what could not be written."""
    return UserError(
        "the disk is full; what was being written was thrown away",
        where=path,
        got=f"{size_text(free_bytes(path))} free",
        fix="free some space and run the command again; what was finished before is kept",
    )


@contextmanager
def shared_memory(param: str) -> Iterator[None]:
    """Names /dev/shm where setting up processes that work together fails: the system's error names no place.

    Args:
        param: of params.yaml, which at 1 needs none of it.

    Raises:
        UserError: /dev/shm is full, too small, missing or closed to this user.
    """
    try:
        yield
    except OSError as e:
        elsewhere = e.filename is not None and not str(e.filename).startswith(str(SHARED_MEMORY))
        if elsewhere or e.errno in (errno.EMFILE, errno.ENFILE) or sys.platform != "linux":
            raise
        raise no_shared_memory(e.strerror or str(e), param) from e


def no_shared_memory(reason: str, param: str) -> UserError:
    """The error that says what is wrong with /dev/shm, and what to do."""
    there = SHARED_MEMORY.is_dir()
    return UserError(
        "processes that work together need a little of the memory that /dev/shm holds, and there is none",
        where=SHARED_MEMORY,
        got=f"{reason}; " + (f"{size_text(free_bytes(SHARED_MEMORY))} free" if there else "it is not there"),
        allowed="64 MB are plenty",
        fix="see who fills it (`ls -l /dev/shm`), enlarge it (`mount -o remount,size=64m /dev/shm`; a "
        f"container: `docker run --shm-size=64m …`), or set {param}: 1, which needs none",
    )


def size_text(count: float) -> str:
    """`1.5 GB`: bytes in the unit (of 1000) that suits them."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
