"""Files for a worker that does not see their folder: bytes come with its work, what it writes goes back.

A worker on another machine may lack the folder of the photos, or the project's own. Then whoever hands out
the work reads the files that it names (`Source`), and the functions of `pipeline.io` take them from the
parcel, and put into it what they would have written.
Elsewhere there is no parcel, and they read and write themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.io.url_folder import is_url

Held = bytes | Exception  # a file's bytes, or why it could not be read


class Source(NamedTuple):
    """A file that a piece of work reads: its key, and how its bytes are read where it is. Picklable."""

    key: str
    fetch: Callable[[], bytes]

    @property
    def travels(self) -> bool:
        """Whether it comes with the work; a file on a server every node reads there."""
        return not is_url(self.key)

    def read(self) -> bytes:
        """The bytes, from the parcel where it holds them; raises as reading the file does."""
        held = delivered(self.key)
        return self.fetch() if held is None else held

    def hold(self) -> Held:
        """The bytes, or the error that reading them raised."""
        try:
            return self.fetch()
        except Exception as e:
            return e


class _Parcel(NamedTuple):
    held: Mapping[str, Held]
    written: list[Callable[[], object]]


_parcel: _Parcel | None = None  # of the work at hand; one at a time in a worker's process


@contextmanager
def unpacked(held: Mapping[str, Held]) -> Iterator[list[Callable[[], object]]]:
    """Within, files come from `held` by their keys; yields what is to be written, as calls in order."""
    global _parcel
    _parcel = _Parcel(held, [])
    try:
        yield _parcel.written
    finally:
        _parcel = None


def delivered(key: str) -> bytes | None:
    """The bytes that came for `key`; None where there is no parcel, or they are not in it.

    Raises:
        Exception: whatever reading the file raised.
    """
    held = None if _parcel is None else _parcel.held.get(key)
    if isinstance(held, Exception):
        raise held
    return held


def send_back(write: Callable[[], object]) -> bool:
    """Whether there is a parcel; then `write` (picklable) will be called where the folders are."""
    if _parcel is None:
        return False
    _parcel.written.append(write)
    return True


def file_source(path: Path) -> Source:
    """A file by its path."""
    return Source(str(path), path.read_bytes)


def read_file(path: Path) -> bytes:
    """The bytes of a file, from the parcel where it holds them; as `Source.read`.

    Raises:
        OSError: it cannot be read.
    """
    return file_source(path).read()
