"""Decoded pictures in one memory-mapped array, so that training never waits for a JPEG.

Decoding costs more than augmenting (one core, 224 px: 500 to 1,500 pictures a second from JPEG, 5,000 and
more from the array), and every epoch would pay it again. The array is kept under a key of the pictures'
bytes, names and size; another workspace, `evaluate` and the next experiment find it there.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from pipeline.io.atomic import atomic_file
from pipeline.io.image_store import ImageStore
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import track

VERSION = 1  # raise when other pixels would come out of the same bytes
BLOCK = 256  # pictures per checksum


def decoded(
    pictures: ImageStore,
    files: Sequence[str],
    size: int,
    cache: Path,
    *,
    cache_gb: float = 20.0,
    workers: int | None = None,
) -> tuple[np.ndarray, str]:
    """The pictures `files` of a store, scaled to `size` × `size`.

    Args:
        pictures: where the JPEGs are.
        files: their names; the order is that of the result.
        size: pixels a side; square pictures are scaled by area, others stretched.
        cache: folder that holds the arrays, shared between workspaces.
        cache_gb: what the arrays there may take together; least recently used go first.
        workers: threads; None = one per usable CPU.

    Returns:
        The pictures, uint8 [N, size, size, 3], RGB, memory-mapped and read-only, and a hex digest of their
        names, bytes and size.

    Raises:
        UserError: a picture is missing or cannot be read.
    """
    if not files:
        return np.empty((0, size, size, 3), np.uint8), ""  # an empty file cannot be mapped
    count = worker_count(workers)
    digest = _digest(pictures, files, size, count)
    path = cache / f"{digest}.npy"
    array = _opened(path, len(files), size)
    if array is None:
        cache.mkdir(parents=True, exist_ok=True)
        _write(path, pictures, files, size, count)
        array = _opened(path, len(files), size)
        if array is None:
            raise UserError(
                "the decoded pictures just written do not match their checksum",
                where=path,
                fix="look at the disk: it is full or failing",
            )
    os.utime(path)
    _prune(cache, path, cache_gb)
    return array, digest


def decode_picture(pictures: ImageStore, file: str, size: int) -> np.ndarray:
    """One picture of a store: uint8 [size, size, 3], RGB; scaled as `decoded` says.

    Raises:
        UserError: it is missing or cannot be read.
    """
    image = pictures.photo(file)
    if image.shape[:2] == (size, size):
        return image
    method = cv2.INTER_AREA if size < max(image.shape[:2]) else cv2.INTER_CUBIC
    return cv2.resize(image, (size, size), interpolation=method)


def _digest(pictures: ImageStore, files: Sequence[str], size: int, workers: int) -> str:
    def one(file: str) -> bytes:
        return hashlib.blake2b(pictures.read(file), digest_size=16).digest()

    whole = hashlib.blake2b(f"{VERSION} {size}".encode(), digest_size=16)
    with ThreadPoolExecutor(workers) as pool:
        for file, digest in zip(files, pool.map(one, files), strict=True):
            whole.update(file.encode("utf-8", "surrogateescape") + b"\0" + digest)
    return whole.hexdigest()


def _write(path: Path, pictures: ImageStore, files: Sequence[str], size: int, workers: int) -> None:
    def one(file: str) -> np.ndarray:
        return decode_picture(pictures, file, size)

    with atomic_file(path) as part:
        with part.open("wb") as f, ThreadPoolExecutor(workers) as pool:
            np.lib.format.write_array_header_1_0(
                f, {"descr": "|u1", "fortran_order": False, "shape": (len(files), size, size, 3)}
            )
            for image in track(_bounded(pool, one, files), len(files), "decode", "pictures"):
                f.write(np.ascontiguousarray(image).data)
        sums = "".join(f"{s:08x}\n" for s in _checksums(np.load(part, mmap_mode="r")))
        with atomic_file(path.with_suffix(".crc")) as crc:
            crc.write_text(sums, encoding="ascii")


def _bounded(
    pool: ThreadPoolExecutor, work: Callable[[str], np.ndarray], files: Sequence[str]
) -> Iterator[np.ndarray]:
    """`pool.map` that holds no more than one block of results."""
    for start in range(0, len(files), BLOCK):
        yield from pool.map(work, files[start : start + BLOCK])


def _checksums(array: np.ndarray) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(array[i : i + BLOCK]).data) for i in range(0, len(array), BLOCK)]


def _opened(path: Path, count: int, size: int) -> np.ndarray | None:
    """The array at `path` if it is there, whole and unharmed; else None."""
    try:
        array = np.load(path, mmap_mode="r")
        sums = path.with_suffix(".crc").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    if array.shape != (count, size, size, 3) or array.dtype != np.uint8:
        return None
    return array if [f"{s:08x}" for s in _checksums(array)] == sums else None


def _prune(cache: Path, keep: Path, cache_gb: float) -> None:
    arrays = sorted(cache.glob("*.npy"), key=lambda p: p.stat().st_mtime, reverse=True)
    total = 0
    for path in arrays:
        total += path.stat().st_size
        if total > cache_gb * 1e9 and path != keep:
            path.unlink(missing_ok=True)
            path.with_suffix(".crc").unlink(missing_ok=True)
