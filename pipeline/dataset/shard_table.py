"""The photos of shards whose labels are in a table, `data.table` below the data folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.dataset.data_folder import Root
from pipeline.dataset.listing import Listing
from pipeline.dataset.photo_table import list_table
from pipeline.io.spelling import clash_message, nfc
from pipeline.io.tar_shards import Place


def list_shard_table(
    root: Root,
    table: str,
    places: Iterable[tuple[str, Place]],
    spoiled: Mapping[str, str],
    shards: Listing,
    limit: int | None,
) -> Listing:
    """The photos of the table, each with its place.

    Photos that it does not name are ignored, as with `data.layout: csv`, and count as no loss if they are
    unusable.

    Args:
        root: the data folder.
        table: its path below `root`.
        places: of all photos in the shards, by key.
        spoiled: keys of photos that cannot be used, each with a shard that holds it.
        shards: what was found wrong with the shards.
        limit: as of `list_table`, which says what is raised.
    """
    names = _ShardNames(places)
    listing = list_table(root, table, names, limit)
    named = {p.image for p in listing.photos} | {r.path for r in listing.rejected}
    listing.problems += shards.problems
    listing.rejected += [r if r.path in named else replace(r, counts=False) for r in shards.rejected]
    photos, listing.photos = listing.photos, []
    for photo in photos:
        found = names.places.get(photo.image, [])
        holders = sorted(place.shard for place in found)
        if photo.image in spoiled:
            if holders:
                _refuse_key(photo.image, [*holders, spoiled[photo.image]], listing)
        elif len(found) == 1:
            listing.photos.append(replace(photo, place=found[0]))
        elif found:
            _refuse_key(photo.image, holders, listing)
        else:
            reason = f"no shard holds it, but {table} names it"
            listing.quarantine(photo.image, reason, "pack it into a shard")
    return listing


def _refuse_key(image: str, holders: list[str], listing: Listing) -> None:
    reason = f"the same key is in {' and in '.join(sorted(set(holders)))}"
    listing.quarantine(image, reason, "give each photo a key of its own")


class _ShardNames:
    """Image keys as the shards spell them."""

    def __init__(self, places: Iterable[tuple[str, Place]]) -> None:
        self.places: dict[str, list[Place]] = {}
        for image, place in places:
            self.places.setdefault(image, []).append(place)
        self._spellings: dict[str, list[str]] = {}
        for image in self.places:
            if not image.isascii():
                self._spellings.setdefault(nfc(image), []).append(image)

    def spelling(self, path: str) -> str:
        """`path` as the shards spell it; unchanged if none holds it."""
        spellings = self._spellings.get(nfc(path), [path])
        if len(spellings) > 1:
            raise ValueError(clash_message(*spellings))
        return spellings[0]
