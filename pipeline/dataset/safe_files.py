"""Reads files below an untrusted folder: never opens pipes, devices or links that lead out of it."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from pipeline.dataset.dvc_links import is_cached

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_NAME_BYTES = 240  # file systems allow 255, and outputs add to a photo's name
MAX_PATH_BYTES = 2000  # below the data folder; Linux allows 4,096 from its root on
COPY_FILE = "copy the file itself to this place"


class Unusable(Exception):
    """A path that must not or cannot be read; `reason` and `advice` are one phrase each."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.reason, self.advice = reason, advice

    def __reduce__(self) -> tuple[type[Unusable], tuple[str, str]]:
        return type(self), (self.reason, self.advice)


def name_problem(name: str) -> str:
    """Why a file's name cannot be used ("" if it can): every name goes into UTF-8 tables, one line each."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if CONTROL.search(name):
        return "its name holds a line break or another control character"
    if any(len(part.encode()) > MAX_NAME_BYTES for part in name.split("/")):
        return f"its name is longer than {MAX_NAME_BYTES} bytes"
    if len(name.encode()) > MAX_PATH_BYTES:
        return f"its path is longer than {MAX_PATH_BYTES} bytes"
    return ""


def checked_path(root: Path, relative: str) -> Path:
    """`root/relative`, if that is a regular file, or a link to one below `root` or in DVC's cache.

    Args:
        root: a folder, already resolved.
        relative: with `/`, from a listing of `root` or from a table.

    Raises:
        Unusable: missing, outside, a folder, a pipe, a device, a broken or circular link.
    """
    if relative.startswith("/") or ".." in relative.replace("\\", "/").split("/"):
        raise Unusable("it points outside the data folder", "write a path below the data folder")
    path = root / relative
    try:
        real = os.path.realpath(path, strict=True)
        mode = Path(real).stat().st_mode
    except FileNotFoundError as e:
        missing = "a link to a file that does not exist" if path.is_symlink() else "there is no such file"
        raise Unusable(missing, COPY_FILE) from e
    except OSError as e:
        circular = "a link that leads to itself" if path.is_symlink() else f"it cannot be read ({e.strerror})"
        raise Unusable(circular, COPY_FILE) from e
    if real != str(path) and not _below(real, root) and not is_cached(real, root):
        raise Unusable("a link that leads out of the data folder", COPY_FILE)
    if not stat.S_ISREG(mode):
        raise Unusable(f"{_kind(mode)}, not a file", "remove it")
    return path


def _below(real: str, root: Path) -> bool:
    return os.path.commonpath([real, root]) == str(root)


def _kind(mode: int) -> str:
    type_names = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return type_names.get(stat.S_IFMT(mode), "a device")


def read_regular(path: Path, max_bytes: int, part: tuple[int, int] | None = None) -> bytes:
    """The bytes of a regular file of at most `max_bytes` bytes; never blocks on a pipe.

    Args:
        path: of the file.
        max_bytes: more are refused.
        part: offset and size of what is wanted; None = the whole file.

    Raises:
        Unusable: not a regular file, not readable, larger, or without that part.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as f:
            info = os.fstat(f.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise Unusable(f"{_kind(info.st_mode)}, not a file", "remove it")
            offset, size = part or (0, info.st_size)
            if size > max_bytes:
                raise Unusable(f"it has {size} bytes, more than {max_bytes}", "save it smaller")
            if part is None:
                return f.read(max_bytes + 1)
            f.seek(offset)
            data = f.read(size)
            if len(data) != size:
                raise Unusable("its shard is cut off", "copy the shard again")
            return data
    except PermissionError as e:
        raise Unusable("it may not be read (permission denied)", "make it readable: chmod u+r") from e
    except OSError as e:
        raise Unusable(f"it cannot be read ({e.strerror})", "copy it again") from e


def checked_folder(root: Path, relative: str) -> Path:
    """`root/relative`, if that is a folder below `root`.

    Raises:
        OSError: missing, unreadable, or a link that leads out of `root`.
    """
    path = root / relative
    real = os.path.realpath(path, strict=True)
    if not _below(real, root):
        raise OSError(0, "a link that leads out of the data folder", str(path))
    return path
