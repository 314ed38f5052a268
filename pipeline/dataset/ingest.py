"""Opens every listed photo once: readable photos go into the index, the others into the quarantine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

import pipeline.dataset.usable as usable_photos
import pipeline.io
from pipeline.dataset.data_root import refuse_overlap
from pipeline.dataset.leakage import drop_known_people
from pipeline.dataset.listing import Candidate, Listing, Rejected
from pipeline.dataset.photo_bytes import read_listed
from pipeline.dataset.safe_files import Unusable
from pipeline.dataset.usable import checked_header
from pipeline.io.parcel import Source
from pipeline.io.photo import PhotoError, decode_photo
from pipeline.io.result_cache import ResultCache, Row, code_identity
from pipeline.io.tar_shards import Place
from pipeline.params.machine import Machine
from pipeline.params.preparation import Data, Ingest
from pipeline.runtime.errors import Problems, UserError, printable
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import track
from pipeline.workers.run import run_parallel

INDEX = [
    "image",
    "split",
    "person",
    "gender",
    "age",
    "mask",
    "width",
    "height",
    "bytes",
    "sha256",
    "position",
]
PHOTOS = ["image", "person", "split", "width", "height", "sha256", "shard", "offset", "bytes"]
STORE_EVERY = 1024  # photos between writes to the cache, so that a killed run loses little
TRAIN_FIRST = {"train": 0, "eval": 1}


class Listed(NamedTuple):
    """A photo to open: its key, and its place in a shard, if it is no file of its own."""

    image: str
    place: Place | None = None


class PhotoInfo(NamedTuple):
    """Facts about a usable photo; width and height in pixels, upright."""

    width: int
    height: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class IngestResult:
    """The tables that ingest writes (columns: docs/contracts.md), and notes for the log."""

    index: pd.DataFrame
    photos: pd.DataFrame
    eval: pd.DataFrame
    quarantine: pd.DataFrame
    rejected_photos: list[Rejected]  # the photo files in the quarantine
    notes: list[str]
    hits: int  # photos whose bytes were known


def list_data(data: Data, limit: int | None) -> tuple[Path, Listing]:
    """The resolved data folder and its listing.

    Raises:
        UserError: the folder is missing, overlaps the outputs, or does not follow `data.layout`.
        Problems: every unreadable label.
    """
    root = Path(data.root)
    refuse_overlap(root)
    if not root.is_dir():
        what = "the data folder is not a folder" if root.exists() else "the data folder is missing"
        raise UserError(what, where=root, fix="set data.root in params.yaml; `dvc repro` draws demo/data")
    if not any(root.iterdir()):
        raise UserError("the data folder is empty", where=root, fix="put photos there, or set data.root")
    root = root.resolve()
    listing: Listing = load_plugin("dataset.layouts", data.layout).read(root, data, limit)
    if listing.problems:
        raise Problems(
            "the data folder has wrong names or tables", listing.problems, fix="correct these, then run again"
        )
    return root, listing


def open_photos(
    root: Path, listing: Listing, ingest: Ingest, cache_folder: Path, machine: Machine
) -> IngestResult:
    """Opens every listed photo, in worker processes; decodes those whose bytes it has not seen before.

    Args:
        root: the data folder, resolved.
        listing: its contents.
        ingest: the params section.
        cache_folder: of the result cache.
        machine: the params section: engine and workers.
    """
    photos = sorted(listing.photos, key=lambda p: (TRAIN_FIRST[p.split], p.image))
    cache = ResultCache(cache_folder, "ingest", _identity(ingest))
    known, fresh, hits = set(cache.rows()), dict[str, Row](), 0
    factory = partial(make_opener, root, ingest, cache)
    listed = [Listed(p.image, p.place) for p in photos]
    sources = partial(_sources, root)
    results = run_parallel(factory, listed, machine=machine, chunk=32, name=_name, reads=sources)
    rejected, usable = list(listing.rejected), []
    try:
        for photo, info in zip(photos, track(results, len(photos), "ingest"), strict=True):
            if isinstance(info, Rejected):
                rejected.append(info)
                continue
            usable.append((photo, info))
            if info.sha256 in known:
                hits += 1
                continue
            fresh[info.sha256] = {"width": info.width, "height": info.height}
            if len(fresh) >= STORE_EVERY:
                cache.add_rows(fresh)
                fresh = {}
    finally:
        cache.add_rows(fresh)
    cache.count(hits, len(photos) - hits)
    usable = drop_known_people(usable, rejected.append)
    index = _index(usable)
    kept = set(index["image"])
    places = [p.place for p, _ in usable]
    without_labels = index.assign(
        shard=pd.Series([place.shard if place else "" for place in places], dtype="str"),
        offset=pd.Series([place.offset if place else 0 for place in places], dtype="int64"),
    )[PHOTOS]
    rows = [(name, image if image in kept else "", k) for k, (name, image) in enumerate(listing.eval_rows)]
    return IngestResult(
        index,
        without_labels,
        pd.DataFrame(rows, columns=["ImageID", "image", "position"]).astype(
            {"ImageID": "str", "image": "str", "position": "int64"}
        ),
        _quarantine(rejected),
        sorted((a for a in rejected if a.counts), key=lambda a: a.path),
        listing.notes,
        hits,
    )


def _sources(root: Path, photo: Listed) -> list[Source]:
    return [_source_of(root, photo)]


def _source_of(root: Path, photo: Listed) -> Source:
    return Source(f"{root}/{photo.image}", partial(read_listed, root, *photo))


def _name(photo: Listed) -> str:
    return photo.image


def _identity(ingest: Ingest) -> Row:
    """What decides whether a photo is usable, besides its bytes."""
    params = {"verify": ingest.verify, "max_pixels": ingest.max_pixels, "min_side": ingest.min_side}
    return params | code_identity([pipeline.io, usable_photos], ["simplejpeg", "pillow"])


def make_opener(root: Path, ingest: Ingest, cache: ResultCache) -> Callable[[Listed], PhotoInfo | Rejected]:
    """Makes a worker's function: a photo -> its facts, or why it is rejected."""
    known = cache.rows()

    def open_photo(photo: Listed) -> PhotoInfo | Rejected:
        image = photo.image
        try:
            data = _source_of(root, photo).read()
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


def _index(usable: list[tuple[Candidate, PhotoInfo]]) -> pd.DataFrame:
    rows = [
        (
            p.image,
            p.split,
            p.person,
            p.gender,
            p.age,
            p.mask,
            o.width,
            o.height,
            o.bytes,
            o.sha256,
            p.position,
        )
        for p, o in usable
    ]
    table = pd.DataFrame(rows, columns=INDEX)
    numbers = {"age", "width", "height", "bytes", "position"}
    return table.astype({c: "int64" if c in numbers else "str" for c in INDEX})


def _quarantine(rejected: Iterable[Rejected]) -> pd.DataFrame:
    rows = sorted({(printable(a.path), printable(a.reason), printable(a.fix)) for a in rejected})
    return pd.DataFrame(rows, columns=["path", "reason", "fix"]).astype("str")


def refuse_large_quarantine(result: IngestResult, max_share: float, where: Path) -> None:
    """Stops if too large a share of the photo files is unusable.

    Args:
        result: what ingest found.
        max_share: `ingest.max_quarantine`.
        where: the written quarantine, for the message.

    Raises:
        Problems: names every unusable photo file.
    """
    rejected, total = result.rejected_photos, len(result.index) + len(result.rejected_photos)
    if not (result.index["split"] == "train").any():
        raise Problems(
            "no training photo can be used",
            [f"{a.path}: {a.reason}" for a in rejected] or ["there is none"],
            fix="check data.root and data.layout",
        )
    if len(rejected) > max_share * total:
        share = f"{len(rejected)} of {total} photo files ({len(rejected) / total:.1%}) cannot be used"
        raise Problems(
            f"{share}, more than ingest.max_quarantine = {max_share:.1%}",
            [f"{a.path}: {a.reason}; {a.fix}" for a in rejected],
            fix=f"repair or remove them (all are in {where}), or raise ingest.max_quarantine",
        )
