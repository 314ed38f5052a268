"""A photo of the index of `ingest`, read with a check that its bytes have not changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.io.parcel import Source
from pipeline.io.photo import PhotoError, decode_photo
from pipeline.io.photo_store import FIX, PhotoFile, PhotoStore
from pipeline.runtime.errors import UserError

if TYPE_CHECKING:
    import pandas as pd  # which workers do without


@dataclass(frozen=True, slots=True)
class IndexedPhoto:
    """One photo: its key, where its bytes are, their checksum, and its upright size in pixels."""

    image: str
    file: PhotoFile
    sha256: str
    width: int
    height: int

    def read(self, background: tuple[int, int, int]) -> np.ndarray:
        """The photo, uint8 [H, W, 3] RGB upright, if it is still the one that was indexed.

        Args:
            background: RGB put behind transparent pixels.

        Raises:
            UserError: it is gone, cannot be decoded, or has other bytes now; names it.
        """
        data = self.file.read(self.sha256)
        try:
            return decode_photo(data, background, where=str(self.file))
        except PhotoError as e:
            raise UserError("an indexed photo cannot be decoded", where=self.file, got=str(e), fix=FIX) from e


def batches_of(photos: Sequence[IndexedPhoto], size: int) -> list[list[IndexedPhoto]]:
    """Groups of at most `size` photos of one shape, in a fixed order: networks are specialised by shape."""
    batches: list[list[IndexedPhoto]] = []
    for photo in sorted(photos, key=lambda p: (p.height, p.width, p.image)):
        last = batches[-1] if batches else []
        if last and len(last) < size and (last[0].height, last[0].width) == (photo.height, photo.width):
            last.append(photo)
        else:
            batches.append([photo])
    return batches


def sources_of(batch: Sequence[IndexedPhoto]) -> list[Source]:
    """The files of some photos, for a worker that does not see them."""
    return [photo.file.source() for photo in batch]


def names_of(batch: Sequence[IndexedPhoto]) -> str:
    """The names of some photos, for an error."""
    return ", ".join(photo.image for photo in batch)


def index_photos(photos: pd.DataFrame, store: PhotoStore) -> list[IndexedPhoto]:
    """The photos of build/photos.parquet, in order.

    Args:
        photos: columns image, sha256, width, height.
        store: where they are.
    """
    facts = zip(*(photos[name].tolist() for name in ("image", "sha256", "width", "height")), strict=True)
    return [IndexedPhoto(image, store.file(image), *rest) for image, *rest in facts]
