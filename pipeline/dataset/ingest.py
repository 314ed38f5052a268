"""Opens every listed photo once: readable photos go into the index, the others into the quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.dataset.data_folder import Root
from pipeline.dataset.data_root import refuse_overlap
from pipeline.dataset.ingest_tables import make_eval, make_index, make_photos, make_quarantine
from pipeline.dataset.leakage import drop_known_people
from pipeline.dataset.listing import Candidate, Listing, Rejected
from pipeline.dataset.photo_opening import Listed, PhotoInfo, identity_of, make_opener
from pipeline.io.parcel import Source
from pipeline.io.result_cache import ResultCache, Row
from pipeline.io.url_folder import UrlFolder, folder_of
from pipeline.params.machine import Machine
from pipeline.params.preparation import Data, Ingest
from pipeline.runtime.errors import Problems, UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import track
from pipeline.workers.run import run_parallel

STORE_EVERY = 1024  # photos between writes to the cache, so that a killed run loses little
TRAIN_FIRST = {"train": 0, "eval": 1}


@dataclass(frozen=True)
class IngestResult:
    """The tables that ingest writes (columns: docs/contracts.md), and notes for the log."""

    index: pd.DataFrame
    photos: pd.DataFrame
    eval: pd.DataFrame
    quarantine: pd.DataFrame
    rejected_photos: list[Rejected]  # the photo files in the quarantine, each once
    notes: list[str]
    hits: int  # photos whose bytes were known


def list_data(data: Data, limit: int | None) -> tuple[Root, Listing]:
    """The data folder and its listing.

    Raises:
        UserError: the folder is missing, overlaps the outputs, or does not follow `data.layout`.
        Problems: every unreadable label.
    """
    root = _checked_root(folder_of(data.root))
    listing: Listing = load_plugin("dataset.layouts", data.layout).read(root, data, limit)
    if listing.problems:
        raise Problems(
            "the data folder has wrong names or tables", listing.problems, fix="correct these, then run again"
        )
    return root, listing


def _checked_root(root: Root) -> Root:
    if isinstance(root, UrlFolder):
        try:
            root.entries()
        except FileNotFoundError as e:
            fix = "correct data.root in params.yaml, or copy the shards there"
            raise UserError("the data folder is missing", where=root, fix=fix) from e
        return root
    refuse_overlap(root)
    if not root.is_dir():
        what = "the data folder is not a folder" if root.exists() else "the data folder is missing"
        raise UserError(what, where=root, fix="set data.root in params.yaml; `dvc repro` draws demo/data")
    if not any(root.iterdir()):
        raise UserError("the data folder is empty", where=root, fix="put photos there, or set data.root")
    return root.resolve()


def ingest_photos(
    root: Root, listing: Listing, ingest: Ingest, cache_folder: Path, machine: Machine
) -> IngestResult:
    """Opens every listed photo, in worker processes; decodes those whose bytes it has not seen before.

    Args:
        root: the data folder.
        listing: its contents.
        ingest: the params section.
        cache_folder: of the result cache.
        machine: the params section: engine and workers.
    """
    photos = sorted(listing.photos, key=lambda p: (TRAIN_FIRST[p.split], p.image))
    cache = ResultCache(cache_folder, "ingest", identity_of(ingest))
    usable, rejected, hits = _open_all(root, photos, ingest, cache, machine)
    rejected += listing.rejected
    cache.count(hits, len(photos) - hits)
    usable = drop_known_people(usable, rejected.append)
    index = make_index(usable)
    return IngestResult(
        index,
        make_photos(index, usable),
        make_eval(listing.eval_rows, set(index["image"])),
        make_quarantine(rejected),
        sorted({a.path: a for a in reversed(rejected) if a.counts}.values(), key=lambda a: a.path),
        listing.notes,
        hits,
    )


def _open_all(
    root: Root, photos: list[Candidate], ingest: Ingest, cache: ResultCache, machine: Machine
) -> tuple[list[tuple[Candidate, PhotoInfo]], list[Rejected], int]:
    """Usable photos with their facts, rejected ones, and how many of the usable ones the cache knew."""
    known, fresh = set(cache.rows()), dict[str, Row]()
    usable, rejected, hits = list[tuple[Candidate, PhotoInfo]](), list[Rejected](), 0
    results = run_parallel(
        partial(make_opener, root, ingest, cache),
        [Listed(p.image, p.place) for p in photos],
        machine=machine,
        chunk=32,
        name=_name,
        reads=partial(_sources, root),
    )
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
    return usable, rejected, hits


def _sources(root: Root, photo: Listed) -> list[Source]:
    return [photo.source(root)]


def _name(photo: Listed) -> str:
    return photo.image


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
