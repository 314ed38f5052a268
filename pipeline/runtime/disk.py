"""Disk space: checks it in advance, and recognises errors caused by a full disk."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.errors import UserError

FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)
FULL_MESSAGES = ("no space left on device", "disk quota exceeded")  # where a library's error has no errno
SHARED_MEMORY = Path("/dev/shm")  # Linux keeps semaphores between processes here
MAIN_ROOT = "CLEANPLATE_ROOT"  # names the main repository where DVC_ROOT names a temporary copy
MIN_FREE_BYTES = 1 << 16  # below this, a full disk explains any write error


def main_root() -> Path:
    """The main repository, also in a temporary experiment: CLEANPLATE_ROOT or DVC_ROOT names it."""
    return Path(os.environ.get(MAIN_ROOT) or os.environ.get("DVC_ROOT", "."))


def nearest_existing(path: Path) -> Path:
    """`path`, or its nearest existing parent."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def free_bytes(path: Path) -> int:
    """Free bytes for this user on the file system of `path`, which need not exist yet."""
    return shutil.disk_usage(nearest_existing(path)).free


def same_disk(first: Path, second: Path) -> bool:
    """Whether both paths, which need not exist yet, are on one file system."""
    return nearest_existing(first).stat().st_dev == nearest_existing(second).stat().st_dev


def require_room(path: Path, needed: float, what: str) -> None:
    """Refuses to start if there is too little disk space.

    Args:
        path: the output path.
        needed: bytes.
        what: the output, for the error.

    Raises:
        UserError: the file system of `path` has less than `needed` bytes free.
    """
    free = free_bytes(path)
    if free < needed:
        raise UserError(
            f"{what} will not fit on the disk, so it was not started",
            where=path,
            got=f"{format_bytes(free)} free",
            allowed=f"about {format_bytes(needed)}",
            fix="free some space (`cleanplate cache --prune 0`, `dvc gc --workspace`), or use another disk",
        )


def is_disk_full(error: BaseException, path: Path) -> bool:
    """Whether a full disk caused `error`, which was raised while writing below `path`."""
    if isinstance(error, UserError) or not isinstance(error, Exception):
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL_ERRORS:
            return True
        if any(message in str(cause).lower() for message in FULL_MESSAGES):
            return True
        cause = cause.__cause__ or cause.__context__
    return (
        isinstance(error, (OSError, RuntimeError))
        and os.access(path, os.F_OK)
        and free_bytes(path) < MIN_FREE_BYTES
    )


def disk_full_error(path: Path) -> UserError:
    """The error for a full disk."""
    return UserError(
        "the disk is full; the unfinished output was discarded",
        where=path,
        got=f"{format_bytes(free_bytes(path))} free",
        fix="free some space and run the command again; finished outputs are kept",
    )


@contextmanager
def explain_shared_memory(param: str) -> Iterator[None]:
    """Turns errors about shared memory, which name no path, into a `UserError` about /dev/shm.

    Args:
        param: the param that avoids shared memory when set to 1.

    Raises:
        UserError: /dev/shm is full, too small, missing or not accessible.
    """
    try:
        yield
    except OSError as e:
        elsewhere = e.filename is not None and not str(e.filename).startswith(str(SHARED_MEMORY))
        if elsewhere or e.errno in (errno.EMFILE, errno.ENFILE) or sys.platform != "linux":
            raise
        raise shared_memory_error(e.strerror or str(e), param) from e


def shared_memory_error(reason: str, param: str) -> UserError:
    """The error about /dev/shm, with the fix."""
    exists = SHARED_MEMORY.is_dir()
    return UserError(
        "worker processes need a little shared memory (/dev/shm), and there is none",
        where=SHARED_MEMORY,
        got=f"{reason}; "
        + (f"{format_bytes(free_bytes(SHARED_MEMORY))} free" if exists else "it is missing"),
        allowed="64 MB are plenty",
        fix="look for large files (`ls -l /dev/shm`), enlarge it (`mount -o remount,size=64m /dev/shm`; in a "
        f"container: `docker run --shm-size=64m …`), or set {param}: 1, which needs none",
    )


def format_bytes(count: float) -> str:
    """Formats bytes with a decimal unit, e.g. `1.5 GB`."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
