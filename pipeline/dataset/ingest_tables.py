"""The tables that ingest writes; columns: docs/contracts.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from pipeline.dataset.listing import Candidate, Rejected
from pipeline.dataset.photo_opening import PhotoInfo
from pipeline.runtime.errors import printable

FACTS = ("image", "split", "person", "gender", "age", "mask")
INDEX = [*FACTS, "width", "height", "bytes", "sha256", "position"]
NUMBERS = {"age", "width", "height", "bytes", "position"}
PHOTOS = ["image", "person", "split", "width", "height", "sha256", "shard", "offset", "bytes"]


def make_index(usable: Sequence[tuple[Candidate, PhotoInfo]]) -> pd.DataFrame:
    """A row for each usable photo, with its labels."""
    rows = [
        (*(getattr(p, name) for name in FACTS), o.width, o.height, o.bytes, o.sha256, p.position)
        for p, o in usable
    ]
    table = pd.DataFrame(rows, columns=INDEX)
    return table.astype({c: "int64" if c in NUMBERS else "str" for c in INDEX})


def make_photos(index: pd.DataFrame, usable: Sequence[tuple[Candidate, PhotoInfo]]) -> pd.DataFrame:
    """The index without labels, with each photo's place in a shard ("" and 0 for a file of its own)."""
    places = [photo.place for photo, _ in usable]
    return index.assign(
        shard=pd.Series([place.shard if place else "" for place in places], dtype="str"),
        offset=pd.Series([place.offset if place else 0 for place in places], dtype="int64"),
    )[PHOTOS]


def make_eval(rows: Sequence[tuple[str, str]], kept: set[str]) -> pd.DataFrame:
    """The submission's rows in order: (ImageID, image), image "" if the photo cannot be used.

    Args:
        rows: as listed.
        kept: keys of the usable photos.
    """
    cells = [(name, image if image in kept else "", k) for k, (name, image) in enumerate(rows)]
    table = pd.DataFrame(cells, columns=["ImageID", "image", "position"])
    return table.astype({"ImageID": "str", "image": "str", "position": "int64"})


def make_quarantine(rejected: Iterable[Rejected]) -> pd.DataFrame:
    """What is not used, and why, each once."""
    rows = sorted({(printable(a.path), printable(a.reason), printable(a.fix)) for a in rejected})
    return pd.DataFrame(rows, columns=["path", "reason", "fix"]).astype("str")
