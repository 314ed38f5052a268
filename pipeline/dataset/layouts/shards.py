"""`data.layout: shards`: photos in tars, named as webdataset and img2dataset do.

ROOT/*.tar, ROOT/train/*.tar, ROOT/eval/*.tar, ROOT/extra/*.tar hold `<key>.jpg`, and beside it `<key>.json`:

    {"person": …, "gender": …, "age": …, "mask": …, "split": …}

An image's key is its shard's folder below ROOT and its name in the shard, whichever shard holds it. `split`
is the shard's folder where it is missing. Photos to predict need no labels; ROOT/eval/info.csv gives their
order. With a table at `data.table` below ROOT the labels come from it, as with `csv`, and no JSON is read.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipeline.dataset.eval_table import arrange_eval
from pipeline.dataset.label_rows import contradictions, first_people, read_candidate
from pipeline.dataset.listing import Candidate, Listing, Rejected, reject_name_clashes
from pipeline.dataset.shard_files import find_shards
from pipeline.dataset.shard_members import KEEP_ONE, LABELS_SUFFIX, Members, read_cells, read_members
from pipeline.dataset.shard_table import list_shard_table
from pipeline.io.spelling import spelling_clashes
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
        return list_shard_table(root, data.table, found.places, listing, limit)
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
        used.add(stem)
        try:
            cells = _cells(shard, stem, members, default)
        except _Unlabelled as e:
            listing.rejected.append(Rejected(image, e.reason, e.fix))
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
    if data is None:
        raise _Unlabelled(f"{shard} holds its labels twice", KEEP_ONE)
    try:
        return read_cells(data)
    except ValueError as e:
        raise _Unlabelled(str(e), "write its labels anew") from e


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
    arrange_eval(root, kept, "", listing, limit)


def _contradiction(photo: Candidate, what: str, first: Candidate) -> str:
    return f"{_where(photo)}: {what} in {_where(first)}"


def _where(photo: Candidate) -> str:
    return f"{_shard(photo)}: {posixpath.splitext(photo.image)[0]}{LABELS_SUFFIX}"


def _shard(photo: Candidate) -> str:
    assert photo.place is not None
    return photo.place.shard
