"""Every listed photo opened once: those that can be read become the index, the others are set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from pipeline.dataset.data_root import refuse_overlap
from pipeline.dataset.listing import Aside, Candidate, Listing
from pipeline.dataset.safe_files import Unusable, checked_path, read_regular
from pipeline.io.photo import MAX_BYTES, PhotoError, decode_photo, header_of
from pipeline.params.schema import Data, Ingest
from pipeline.runtime.errors import Problems, UserError, printable
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import track
from pipeline.workers import run_parallel

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
PHOTOS = ["image", "person", "split", "width", "height", "sha256"]
TRAIN_FIRST = {"train": 0, "eval": 1}


@dataclass(frozen=True)
class Opened:
    """What a usable photo's bytes say; width and height in pixels, upright."""

    width: int
    height: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Taken:
    """The tables that ingest writes, and what to tell: columns as in docs/contracts.md."""

    index: pd.DataFrame
    eval: pd.DataFrame
    quarantine: pd.DataFrame
    refused: list[Aside]  # the photo files among the quarantine
    notes: list[str]

    @property
    def photos(self) -> pd.DataFrame:
        """The index without labels: all that a pixel stage may see."""
        return self.index[PHOTOS]


def list_data(data: Data, limit: int | None) -> tuple[Path, Listing]:
    """The data folder, resolved, and what it holds.

    Raises:
        UserError: the folder is missing, overlaps our outputs, or is not laid out as `data.layout` says.
        Problems: labels that cannot be read, all of them.
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


def open_photos(root: Path, listing: Listing, ingest: Ingest, workers: int | None = None) -> Taken:
    """Opens every listed photo, on several processes.

    Args:
        root: the data folder, resolved.
        listing: what it holds.
        ingest: the params section.
        workers: processes; None = one per usable CPU.

    Raises:
        UserError: not one photo to train on can be used.
    """
    photos = sorted(listing.photos, key=lambda p: (TRAIN_FIRST[p.split], p.image))
    factory = partial(opener, root, ingest)
    images = [p.image for p in photos]
    results = run_parallel(factory, images, workers=workers, chunk=32)
    aside, used = list(listing.aside), []
    for photo, opened in zip(photos, track(results, len(photos), "ingest"), strict=True):
        if isinstance(opened, Aside):
            aside.append(opened)
        else:
            used.append((photo, opened))
    index = _index(used)
    kept = set(index["image"])
    rows = [(name, image if image in kept else "", k) for k, (name, image) in enumerate(listing.eval_rows)]
    return Taken(
        index,
        pd.DataFrame(rows, columns=["ImageID", "image", "position"]).astype(
            {"ImageID": "str", "image": "str", "position": "int64"}
        ),
        _quarantine(aside),
        sorted((a for a in aside if a.counts), key=lambda a: a.path),
        listing.notes,
    )


def opener(root: Path, ingest: Ingest) -> Callable[[str], Opened | Aside]:
    """The work of one process: image key -> what the photo is, or why it is set aside."""

    def open_photo(image: str) -> Opened | Aside:
        try:
            data = read_regular(checked_path(root, image), MAX_BYTES)
            header = header_of(data, image, ingest.max_pixels)
            if min(header.width, header.height) < ingest.min_side:
                reason = f"{header.width} x {header.height} pixels, a side less than ingest.min_side = "
                return Aside(
                    image, f"{reason}{ingest.min_side}", "use a larger one, or lower ingest.min_side"
                )
            if ingest.verify == "strict":
                decode_photo(data, where=image)
        except (Unusable, PhotoError) as e:
            return Aside(image, e.reason, e.advice)
        return Opened(header.width, header.height, len(data), hashlib.sha256(data).hexdigest())

    return open_photo


def _index(used: list[tuple[Candidate, Opened]]) -> pd.DataFrame:
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
        for p, o in used
    ]
    table = pd.DataFrame(rows, columns=INDEX)
    numbers = {"age", "width", "height", "bytes", "position"}
    return table.astype({c: "int64" if c in numbers else "str" for c in INDEX})


def _quarantine(aside: Iterable[Aside]) -> pd.DataFrame:
    rows = sorted({(printable(a.path), printable(a.reason), printable(a.fix)) for a in aside})
    return pd.DataFrame(rows, columns=["path", "reason", "fix"]).astype("str")


def refuse_many(taken: Taken, most: float, where: Path) -> None:
    """Stops where too large a share of the photo files cannot be used.

    Raises:
        Problems: naming every such file; `where` is the written quarantine.
    """
    refused, total = taken.refused, len(taken.index) + len(taken.refused)
    if not (taken.index["split"] == "train").any():
        raise Problems(
            "not one photo to train on can be used",
            [f"{a.path}: {a.reason}" for a in refused] or ["there is none"],
            fix="check data.root and data.layout",
        )
    if len(refused) > most * total:
        share = f"{len(refused)} of {total} photo files ({len(refused) / total:.1%}) cannot be used"
        raise Problems(
            f"{share}, more than ingest.max_quarantine = {most:.1%}",
            [f"{a.path}: {a.reason}; {a.fix}" for a in refused],
            fix=f"mend or remove them (all are in {where}), or raise ingest.max_quarantine",
        )
