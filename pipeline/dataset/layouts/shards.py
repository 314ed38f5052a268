"""`data.layout: shards`: photos in tars, named as webdataset and img2dataset do.

ROOT/*.tar, ROOT/train/*.tar, ROOT/eval/*.tar, ROOT/extra/*.tar hold `<key>.jpg`, and beside it `<key>.json`:

    {"person": …, "gender": …, "age": …, "mask": …, "split": …}

An image's key is its shard's folder below ROOT and its name in the shard, whichever shard holds it. `split`
is the shard's folder where it is missing. Photos to predict need no labels; ROOT/eval/info.csv gives their
order. With a table at `data.table` below ROOT the labels come from it, as with `csv`, and no JSON is read.
ROOT may be a URL (`pipeline.io.url_folder`).
"""

from __future__ import annotations

import posixpath
from collections import Counter

from pipeline.dataset.data_folder import Root, is_there
from pipeline.dataset.eval_table import arrange_eval
from pipeline.dataset.label_rows import contradictions, first_people, read_candidate
from pipeline.dataset.listing import Candidate, Listing, reject_name_clashes
from pipeline.dataset.shard_files import find_shards
from pipeline.dataset.shard_members import (
    KEEP_ONE,
    LABELS_SUFFIX,
    Members,
    Refusal,
    read_cells,
    read_members,
)
from pipeline.dataset.shard_table import list_shard_table
from pipeline.io.spelling import nfc, spelling_clashes
from pipeline.io.tar_shards import Place
from pipeline.params.preparation import Data
from pipeline.runtime.progress import track

NO_LABELS = "there are no labels beside it"


def read(root: Root, data: Data, limit: int | None) -> Listing:
    """Lists the photos in the shards.

    Args:
        root: the data folder.
        data: the params section; `data.table` is the path of an optional table below `root`.
        limit: take only the first `limit` people, as many extra ones, and `limit` photos to predict.

    Raises:
        UserError: there is no shard, or data.table is unusable.
    """
    listing = Listing()
    by_table = is_there(root, data.table)
    shards = find_shards(root, data.table, by_table, listing)
    found = _Found(by_table)
    for shard in track(shards, len(shards), "ingest: shards", "shards"):
        found.add(shard, read_members(root, shard, not by_table), listing)
    found.note_others(listing)
    if by_table:
        return list_shard_table(root, data.table, found.places, found.spoiled, listing, limit)
    photos = found.unique(listing)
    listing.problems += spelling_clashes(p.image for p in photos if not p.image.isascii())
    listing.problems += spelling_clashes({p.person for p in photos if not p.person.isascii()})
    listing.problems += contradictions(((p, p) for p in photos), _contradiction)
    kept = reject_name_clashes(photos, listing)
    listing.photos = first_people(kept, limit)
    _arrange_eval(root, [p for p in kept if p.split == "eval"], listing, limit)
    return listing


class _Found:
    """What the shards hold, as they are read one after another.

    Attributes:
        photos: with their labels, where no table has them.
        places: of each photo by key, where a table has the labels.
        spoiled: keys of photos that cannot be used, each with a shard that holds it.
    """

    def __init__(self, by_table: bool) -> None:
        self.by_table = by_table
        self.photos: list[Candidate] = []
        self.places: list[tuple[str, Place]] = []
        self.spoiled: dict[str, str] = {}
        self._lone: dict[str, str] = {}  # stems of labels without a photo in their shard, and the shard
        self._others: Counter[str] = Counter()

    def add(self, shard: str, members: Members, listing: Listing) -> None:
        """Takes in one shard; what is wrong in it goes into `listing`."""
        begun = len(listing.rejected)
        listing.rejected += members.rejected
        self._others += members.others
        if members.problem:
            listing.problems.append(f"{shard}: {members.problem}")
        elif self.by_table:
            self.places += members.photos.items()
        else:
            self._add_labelled(shard, members, listing)
        self.spoiled.update((r.path, shard) for r in listing.rejected[begun:] if r.counts)

    def note_others(self, listing: Listing) -> None:
        """Lists members that are neither photos nor labels, once for each suffix."""
        for suffix, count in sorted(self._others.items()):
            reason = f"{count} members of shards, neither photos nor labels"
            listing.quarantine(f"*{suffix}", reason, "nothing to do; they are left out", counts=False)

    def unique(self, listing: Listing) -> list[Candidate]:
        """The photos by key, without those whose key or labels come again in another shard."""
        self.photos.sort(key=lambda p: p.image)
        wrong: dict[str, set[str]] = {}
        for one, other in zip(self.photos, self.photos[1:], strict=False):
            if one.image == other.image:
                wrong.setdefault(one.image, set()).update((_shard(one), _shard(other)))
        for photo in self.photos if self.spoiled or self._lone else ():
            if photo.image in self.spoiled:
                wrong.setdefault(photo.image, set()).update((_shard(photo), self.spoiled[photo.image]))
            elif (holder := self._lone.get(_stem(photo.image))) and photo.split != "eval":
                reason = f"labels of it are in {_shard(photo)} and in {holder}"
                listing.quarantine(photo.image, reason, KEEP_ONE)
                wrong.setdefault(photo.image, set())
        for image, holders in wrong.items():
            if holders:
                reason = f"the same key is in {' and in '.join(sorted(holders))}"
                listing.quarantine(image, reason, "give each photo a key of its own")
        return [p for p in self.photos if p.image not in wrong] if wrong else self.photos

    def _add_labelled(self, shard: str, members: Members, listing: Listing) -> None:
        """Adds the photos of a shard with their labels."""
        default, used = posixpath.dirname(shard) or "train", set[str]()
        for image, place in members.photos.items():
            stem = _stem(image)
            used.add(stem)
            try:
                cells = _cells(shard, stem, members, default)
            except _Unlabelled as e:
                if default != "eval":
                    listing.quarantine(image, e.reason, e.fix)
                    continue
                listing.quarantine(f"{stem}{LABELS_SUFFIX}", e.reason, e.fix, counts=False)
                cells = {}
            wrong: list[str] = []
            photo = read_candidate(image, cells, default, wrong, place)
            if wrong:
                listing.problems += [f"{_where(photo)}: {w}" for w in wrong]
            else:
                self.photos.append(photo)
        used |= {_stem(refused.path) for refused in members.rejected}
        for stem in members.labels:
            if stem not in used:
                self._lone[stem] = shard
                reason = f"labels of a photo that {shard} does not hold"
                fix = "pack the photo, or leave it out"
                listing.quarantine(f"{stem}{LABELS_SUFFIX}", reason, fix, counts=False)


class _Unlabelled(Exception):
    """A photo whose labels cannot be read; `reason` and `fix` are one phrase each."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason, self.fix = reason, fix


def _cells(shard: str, stem: str, members: Members, default: str) -> dict[str, str]:
    """The values of a photo's labels; a photo to predict need not have any."""
    if stem not in members.labels:
        if default == "eval":
            return {}
        raise _Unlabelled(NO_LABELS, f"pack {posixpath.basename(stem)}{LABELS_SUFFIX} into {shard}")
    data = members.labels[stem]
    if isinstance(data, Refusal):
        raise _Unlabelled(*data)
    try:
        return read_cells(data)
    except ValueError as e:
        raise _Unlabelled(str(e), "write its labels anew") from e


def _arrange_eval(root: Root, photos: list[Candidate], listing: Listing, limit: int | None) -> None:
    """Adds the photos to predict; an ImageID is a file name, so those that share one are refused."""
    named: dict[str, list[Candidate]] = {}
    for photo in photos:
        named.setdefault(nfc(posixpath.basename(photo.image)), []).append(photo)
    for name, group in named.items():
        for photo in group if len(group) > 1 else ():
            reason = f"{len(group)} photos to predict have the ImageID {name}"
            listing.quarantine(photo.image, reason, "give photos to predict names of their own")
    kept = [group[0] for group in named.values() if len(group) == 1]
    arrange_eval(root, kept, "eval", True, listing, limit)


def _contradiction(photo: Candidate, what: str, first: Candidate) -> str:
    return f"{_where(photo)}: {what} in {_where(first)}"


def _where(photo: Candidate) -> str:
    return f"{_shard(photo)}: {_stem(photo.image)}{LABELS_SUFFIX}"


def _stem(image: str) -> str:
    return posixpath.splitext(image)[0]


def _shard(photo: Candidate) -> str:
    assert photo.place is not None
    return photo.place.shard
