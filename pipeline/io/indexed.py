"""The bytes of a photo in the index of `ingest`, if they are still the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.io.parcel import read_file
from pipeline.runtime.errors import UserError

FIX = "run `dvc repro ingest`: it indexes the photos anew and sets unusable ones aside"


def read_indexed(path: Path, sha256: str) -> bytes:
    """The bytes of the photo that was indexed with this checksum.

    Raises:
        UserError: it is gone, or has other bytes now; names it.
    """
    try:
        data = read_file(path)
    except OSError as e:
        raise UserError("an indexed photo cannot be read", where=path, got=e.strerror, fix=FIX) from e
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UserError("a photo is not the one that was indexed", where=path, fix=FIX)
    return data
