"""Where in tar shards each picture of a large set is, in 32 bytes a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.io.tar_shards import Place

DIGEST = 16  # bytes of a name's checksum: among 10^9 names two are the same with a chance of 10^-21


@dataclass(frozen=True)
class Places:
    """Places by name; processes may share it (picklable).

    Attributes:
        shards: their names.
        digests: bytes [N], sorted: a checksum of each name.
        numbers: int32 [N]: which of the shards. offsets: int64 [N]. sizes: int32 [N].
    """

    shards: Sequence[str]
    digests: np.ndarray
    numbers: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray

    @staticmethod
    def of(
        names: Iterable[str],
        shards: Sequence[str],
        numbers: np.ndarray,
        offsets: np.ndarray,
        sizes: np.ndarray,
    ) -> Places:
        """The places of some names, in any order.

        Args:
            names: unique.
            shards: names of the shards; `numbers`: which of them holds each name.
            offsets, sizes: of each one's bytes in its shard.
        """
        digests = np.frombuffer(b"".join(map(_digest, names)), dtype=f"S{DIGEST}")
        order = np.argsort(digests, kind="stable")
        return Places(
            tuple(shards),
            digests[order],
            numbers[order].astype(np.int32),
            offsets[order].astype(np.int64),
            sizes[order].astype(np.int32),
        )

    def __getitem__(self, name: str) -> Place:
        digest = _digest(name)
        at = int(np.searchsorted(self.digests, np.bytes_(digest)))
        if at == len(self.digests) or self.digests[at] != digest.rstrip(b"\0"):  # numpy drops zero bytes
            raise KeyError(name)
        return Place(self.shards[int(self.numbers[at])], int(self.offsets[at]), int(self.sizes[at]))


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=DIGEST).digest()
