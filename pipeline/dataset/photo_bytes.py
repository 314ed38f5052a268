"""The bytes of a listed photo, read with all care for what it may be: the data folder is untrusted."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pipeline.dataset.data_folder import Root
from pipeline.dataset.safe_files import Unusable, checked_path, read_regular
from pipeline.io.photo import MAX_BYTES
from pipeline.io.tar_shards import Place
from pipeline.io.url_folder import UrlFolder, read_url
from pipeline.runtime.errors import UserError


def read_listed(root: Root, image: str, place: Place | None) -> bytes:
    """The bytes of a photo.

    Args:
        root: the data folder.
        image: its key.
        place: of the photo in a shard; None = a file of its own.

    Raises:
        Unusable: it must not or cannot be read.
        UserError: the server cannot be asked.
    """
    if isinstance(root, UrlFolder):
        return _read_served(root, place)
    if place is None:
        return read_regular(checked_path(root, image), MAX_BYTES)
    return read_regular(_checked_shard(root, place.shard), MAX_BYTES, (place.offset, place.size))


def _read_served(root: UrlFolder, place: Place | None) -> bytes:
    if place is None:
        raise Unusable("it is in no shard", "pack it into a shard")
    if place.size > MAX_BYTES:
        raise Unusable(f"it has {place.size} bytes, more than {MAX_BYTES}", "save it smaller")
    url = f"{root}/{place.shard}"
    try:
        data = read_url(url, place.offset, place.size)
    except FileNotFoundError as e:  # it was there when it was listed, so this is no fault of the photo
        fix = "run again when it is back, and on every node with the same server and credentials"
        raise UserError("a shard is not on the server any more", where=url, fix=fix) from e
    if len(data) != place.size:
        raise Unusable("its shard is cut off", "copy the shard again")
    return data


@lru_cache(maxsize=64)  # photos come shard by shard
def _checked_shard(root: Path, shard: str) -> Path:
    return checked_path(root, shard)
