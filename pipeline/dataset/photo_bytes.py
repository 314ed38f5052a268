"""The bytes of a listed photo, read with all care for what it may be: the data folder is untrusted."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pipeline.dataset.safe_files import checked_path, read_regular
from pipeline.io.photo import MAX_BYTES
from pipeline.io.tar_shards import Place


def read_listed(root: Path, image: str, place: Place | None) -> bytes:
    """The bytes of a photo.

    Args:
        root: the data folder, resolved.
        image: its key.
        place: of the photo in a shard; None = a file of its own.

    Raises:
        Unusable: it must not or cannot be read.
    """
    if place is None:
        return read_regular(checked_path(root, image), MAX_BYTES)
    return read_regular(_checked_shard(root, place.shard), MAX_BYTES, (place.offset, place.size))


@lru_cache(maxsize=64)  # photos come shard by shard
def _checked_shard(root: Path, shard: str) -> Path:
    return checked_path(root, shard)
