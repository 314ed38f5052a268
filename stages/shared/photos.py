"""The photos of the set, as stages and commands read them."""

from __future__ import annotations

import pandas as pd

from pipeline.io.photo_store import PhotoStore
from pipeline.io.places import Places
from pipeline.io.url_folder import folder_of
from stages.shared.artefacts import PHOTOS


def open_photo_store(root: str) -> PhotoStore:
    """The photos of build/photos.parquet.

    Args:
        root: `data.root`.
    """
    table = PHOTOS.read("image", "sha256", "shard", "offset", "bytes")
    if not table["shard"].any():
        return PhotoStore(folder_of(root))
    numbers, shards = pd.factorize(table["shard"])
    offsets, sizes = table["offset"].to_numpy(), table["bytes"].to_numpy()
    places = Places.of(table["image"], list(shards), numbers, offsets, sizes, table["sha256"])
    return PhotoStore(folder_of(root), places)
