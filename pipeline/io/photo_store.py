"""The photos of a set by their keys: files below a folder, or parts of tar shards below it.

Stages and commands read photos through it, and need not know which of the two they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.io.parcel import Source
from pipeline.io.photo import WHITE, decode_photo
from pipeline.io.places import Places
from pipeline.io.tar_shards import read_part
from pipeline.io.url_folder import UrlFolder, is_url, read_url
from pipeline.runtime.errors import UserError

FIX = "run `dvc repro ingest`: it indexes the photos anew and sets unusable ones aside"


class PhotoFile(NamedTuple):
    """Where the bytes of one photo are; small and picklable.

    Attributes:
        path: of the file, or of the shard.
        member: its name in the shard; "" = the photo is the whole file.
        offset, size: of the member's bytes in the shard.
        sha256: of the member when it was indexed: its shard may have been packed anew since.
    """

    path: str
    member: str = ""
    offset: int = 0
    size: int = 0
    sha256: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.member}" if self.member else self.path

    def source(self) -> Source:
        """The bytes, for a worker that does not see the file."""
        return Source(str(self), self.fetch)

    def fetch(self) -> bytes:
        """The bytes, where the file is.

        Raises:
            OSError: it is missing, unreadable or cut off.
            UserError: the server of its shard cannot be asked.
        """
        if is_url(self.path):
            data = read_url(self.path, self.offset, self.size)
            if len(data) != self.size:
                raise OSError(0, "the shard is cut off", self.path)
            return data
        if self.member:
            return read_part(Path(self.path), self.offset, self.size)
        return Path(self.path).read_bytes()

    def read(self, sha256: str | None = None) -> bytes:
        """The bytes, if they are still those that were indexed.

        Args:
            sha256: of the photo when it was indexed; None = its own, or not checked.

        Raises:
            UserError: it is gone, or has other bytes now; names it.
        """
        try:
            data = self.source().read()
        except OSError as e:
            raise UserError("an indexed photo cannot be read", where=self, got=e.strerror, fix=FIX) from e
        return self.checked(data, sha256)

    def checked(self, data: bytes, sha256: str | None = None) -> bytes:
        """`data`, if it is the photo that was indexed; arguments and errors as of `read`."""
        expected = sha256 or self.sha256
        if expected and hashlib.sha256(data).hexdigest() != expected:
            raise UserError("a photo is not the one that was indexed", where=self, fix=FIX)
        return data


@dataclass(frozen=True)
class PhotoStore:
    """Finds the photos of a set; threads and processes may share it (picklable, keeps no file open).

    Attributes:
        root: the data folder.
        places: of the photos in its shards; None = each is a file of its own.
    """

    root: Path | UrlFolder
    places: Places | None = None

    def file(self, image: str) -> PhotoFile:
        """Where the photo with this key is.

        Raises:
            UserError: no shard has it.
        """
        if self.places is None:
            return PhotoFile(f"{self.root}/{image}")
        try:
            shard, offset, size = self.places[image]
        except KeyError as e:
            raise UserError("no shard has this photo", where=self.root, got=image, fix=FIX) from e
        return PhotoFile(f"{self.root}/{shard}", image, offset, size, self.places.sha256(image))

    def source(self, image: str) -> Source:
        """A photo, for a worker that does not see the folder."""
        return self.file(image).source()

    def photo(self, image: str, background: tuple[int, int, int] = WHITE) -> np.ndarray:
        """A photo, uint8 [H, W, 3] RGB upright.

        Args:
            background: RGB put behind transparent pixels.

        Raises:
            UserError: it cannot be read or decoded, or its shard holds another photo there now.
        """
        file = self.file(image)
        return decode_photo(file.read(), background, where=str(file))
