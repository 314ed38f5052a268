"""Opens one listed photo in a worker: its size and checksum, or why it cannot be used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pipeline.dataset.usable as usable_photos
import pipeline.io
from pipeline.dataset.data_folder import Root
from pipeline.dataset.listing import Rejected
from pipeline.dataset.photo_bytes import read_listed
from pipeline.dataset.safe_files import Unusable
from pipeline.dataset.usable import checked_header
from pipeline.io.parcel import Source
from pipeline.io.photo import PhotoError, decode_photo
from pipeline.io.result_cache import ResultCache, Row, code_identity
from pipeline.io.tar_shards import Place
from pipeline.params.preparation import Ingest


class Listed(NamedTuple):
    """A photo to open: its key, and its place in a shard, if it is no file of its own."""

    image: str
    place: Place | None = None

    def source(self, root: Root) -> Source:
        """Its bytes, for a worker that does not see the data folder."""
        return Source(f"{root}/{self.image}", partial(read_listed, root, *self))


class PhotoInfo(NamedTuple):
    """Facts about a usable photo; width and height in pixels, upright."""

    width: int
    height: int
    bytes: int
    sha256: str


def identity_of(ingest: Ingest) -> Row:
    """What decides whether a photo is usable, besides its bytes."""
    params = {"verify": ingest.verify, "max_pixels": ingest.max_pixels, "min_side": ingest.min_side}
    return params | code_identity([pipeline.io, usable_photos], ["simplejpeg", "pillow"])


def make_opener(root: Root, ingest: Ingest, cache: ResultCache) -> Callable[[Listed], PhotoInfo | Rejected]:
    """Makes a worker's function: a photo -> its facts, or why it is rejected.

    Args:
        root: the data folder.
        ingest: the params section.
        cache: the sizes of photos that were decoded before, by sha256.
    """
    known = cache.rows()

    def open_photo(photo: Listed) -> PhotoInfo | Rejected:
        image = photo.image
        try:
            data = photo.source(root).read()
            checksum = hashlib.sha256(data).hexdigest()
            if row := known.get(checksum):
                return PhotoInfo(row["width"], row["height"], len(data), checksum)
            header = checked_header(data, image, ingest.max_pixels, ingest.min_side)
            if ingest.verify == "strict":
                decode_photo(data, where=image)
        except (Unusable, PhotoError) as e:
            return Rejected(image, e.reason, e.advice)
        return PhotoInfo(header.width, header.height, len(data), checksum)

    return open_photo
