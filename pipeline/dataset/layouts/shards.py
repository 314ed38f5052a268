"""`data.layout: shards`: photos in tars, named as webdataset and img2dataset do.

ROOT/*.tar, ROOT/train/*.tar, ROOT/eval/*.tar, ROOT/extra/*.tar hold `<key>.jpg`, and beside it `<key>.json`:

    {"person": …, "gender": …, "age": …, "mask": …, "split": …}

An image's key is its shard's folder below ROOT and its name in the shard, whichever shard holds it. `split`
is the shard's folder where it is missing. Photos to predict need no labels; ROOT/eval/info.csv gives their
order. With a table at `data.table` below ROOT the labels come from it, as of `csv`, and no JSON is read.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.dataset.eval_table import arrange_eval
from pipeline.dataset.label_rows import contradictions, first_people, read_candidate
from pipeline.dataset.listing import Candidate, Listing, Rejected, reject_name_clashes
from pipeline.dataset.photo_table import list_table
from pipeline.dataset.shard_files import find_shards
from pipeline.dataset.shard_members import LABELS, Members, read_cells, read_members
from pipeline.io.spelling import clash_message, nfc, spelling_clashes
from pipeline.io.tar_shards import Place
from pipeline.params.preparation import Data
from pipeline.runtime.progress import track

NO_LABELS = "there are no labels beside it"


def read(root: Path, data: Data, limit: int | None) -> Listing:
    """Lists the photos in the shards.

    Args:
        root: the data folder, resolved.
        data: the params section; `data.table` is the path of an optional table below `root`.
        limit: take only the first `limit` people, as many extra ones, and `limit` photos to predict.

    Raises:
        UserError: there is no shard, or data.table is unusable.
    """
    listing = Listing()
    shards = find_shards(root, data.table, listing)
    by_table = (root / data.table).exists() or (root / data.table).is_symlink()
    found = _Found()
    for shard in track(shards, len(shards), "ingest: shards", "shards"):
        found.add(shard, read_members(root, shard, not by_table), by_table, listing)
    found.note_others(listing)
    if by_table:
        return _with_table(root, data.table, found, limit, listing)
    photos = found.unique(listing)
    listing.problems += spelling_clashes(p.image for p in photos if not p.image.isascii())
    listing.problems += spelling_clashes({p.person for p in photos if not p.person.isascii()})
    listing.problems += contradictions(((p, p) for p in photos), _contradiction)
    kept = reject_name_clashes(photos, listing)
    listing.photos = first_people(kept, limit)
    _arrange_eval(root, [p for p in kept if p.split == "eval"], listing, limit)
    return listing


class _Found:
    """What the shards hold, as they are read one after another."""

    def __init__(self) -> None:
        self.photos: list[Candidate] = []
        self.places: list[tuple[str, Place]] = []  # where a table has the labels
        self.others: Counter[str] = Counter()

    def add(self, shard: str, members: Members, by_table: bool, listing: Listing) -> None:
        """Takes in one shard."""
        listing.rejected += members.rejected
        self.others += members.others
        if members.problem:
            listing.problems.append(f"{shard}: {members.problem}")
        elif by_table:
            self.places += members.photos.items()
        else:
            self.photos += _labelled(shard, members, listing)

    def note_others(self, listing: Listing) -> None:
        """Lists members that are neither photos nor labels, once for each suffix."""
        for suffix, count in sorted(self.others.items()):
            reason = f"{count} members of shards, neither photos nor labels"
            listing.quarantine(f"*{suffix}", reason, "nothing to do; they are left out", counts=False)

    def unique(self, listing: Listing) -> list[Candidate]:
        """The photos by key, without those whose key two shards hold."""
        self.photos.sort(key=lambda p: p.image)
        twice: dict[str, list[str]] = {}
        for one, other in zip(self.photos, self.photos[1:], strict=False):
            if one.image == other.image:
                twice.setdefault(one.image, [_shard(one)]).append(_shard(other))
        for image, holders in twice.items():
            for _ in holders:
                reason = f"the same key is in {' and in '.join(sorted(holders))}"
                listing.quarantine(image, reason, "give each photo a key of its own")
        return [p for p in self.photos if p.image not in twice] if twice else self.photos


def _labelled(shard: str, members: Members, listing: Listing) -> Iterator[Candidate]:
    """The photos of a shard with their labels; what is wrong goes into `listing`."""
    folder = posixpath.dirname(shard)
    default, used = folder or "train", set[str]()
    for image, place in members.photos.items():
        stem = posixpath.splitext(image)[0]
        data = members.labels.get(stem)
        used.add(stem)
        if data is None and default != "eval":
            fix = f"pack {posixpath.basename(stem)}{LABELS} into {shard}"
            listing.rejected.append(Rejected(image, NO_LABELS, fix))
            continue
        try:
            cells = {} if data is None else read_cells(data)
        except ValueError as e:
            listing.rejected.append(Rejected(image, str(e), "write its labels anew"))
            continue
        wrong: list[str] = []
        photo = read_candidate(image, cells, default, wrong, place)
        if wrong:
            listing.problems += [f"{_where(photo)}: {w}" for w in wrong]
        else:
            yield photo
    used |= {posixpath.splitext(refused.path)[0] for refused in members.rejected}
    for stem in members.labels:
        if stem not in used:
            reason, fix = f"labels of a photo that {shard} does not hold", "pack the photo, or leave it out"
            listing.quarantine(f"{stem}{LABELS}", reason, fix, counts=False)


def _with_table(root: Path, table: str, found: _Found, limit: int | None, shards: Listing) -> Listing:
    """The photos of the table, each with its place; photos that it does not name are ignored, as of `csv`."""
    names = _ShardNames(found.places)
    listing = list_table(root, table, names, limit)
    listing.problems += shards.problems
    listing.rejected += shards.rejected
    photos, listing.photos = listing.photos, []
    refused = {r.path for r in shards.rejected}
    for photo in photos:
        places = names.places.get(photo.image, [])
        if len(places) == 1:
            listing.photos.append(replace(photo, place=places[0]))
        elif places:
            reason = f"the same key is in {' and in '.join(sorted(p.shard for p in places))}"
            listing.quarantine(photo.image, reason, "give each photo a key of its own")
        elif photo.image not in refused:
            listing.quarantine(
                photo.image, f"no shard holds it, but {table} names it", "pack it into a shard"
            )
    return listing


class _ShardNames:
    """Image keys as the shards spell them."""

    def __init__(self, places: list[tuple[str, Place]]) -> None:
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


def _arrange_eval(root: Path, photos: list[Candidate], listing: Listing, limit: int | None) -> None:
    """Adds the photos to predict; an ImageID is a file name, so two of one name are refused."""
    first: dict[str, str] = {}
    kept: list[Candidate] = []
    for photo in photos:
        name = posixpath.basename(photo.image)
        if name in first:
            reason = f"the ImageID {name} is {first[name]} already"
            listing.quarantine(photo.image, reason, "give photos to predict names of their own")
        else:
            first[name] = photo.image
            kept.append(photo)
    arrange_eval(root, kept, listing, limit)


def _contradiction(photo: Candidate, what: str, first: Candidate) -> str:
    return f"{_where(photo)}: {what} in {_where(first)}"


def _where(photo: Candidate) -> str:
    return f"{_shard(photo)}: {posixpath.splitext(photo.image)[0]}{LABELS}"


def _shard(photo: Candidate) -> str:
    assert photo.place is not None
    return photo.place.shard
