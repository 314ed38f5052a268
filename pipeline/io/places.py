"""Where in tar shards each picture of a large set is, and what it was, in 64 bytes a picture."""

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
        checksums: uint8 [N, 32]: the SHA-256 of each one's bytes.
    """

    shards: Sequence[str]
    digests: np.ndarray
    numbers: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    checksums: np.ndarray

    @staticmethod
    def of(
        names: Iterable[str],
        shards: Sequence[str],
        numbers: np.ndarray,
        offsets: np.ndarray,
        sizes: np.ndarray,
        sha256: Iterable[str],
    ) -> Places:
        """The places of some names, in any order.

        Args:
            names: unique.
            shards: names of the shards; `numbers`: which of them holds each name.
            offsets, sizes: of each one's bytes in its shard.
            sha256: of each one's bytes, in hexadecimal.
        """
        digests = np.frombuffer(b"".join(map(_digest, names)), dtype=f"S{DIGEST}")
        order = np.argsort(digests, kind="stable")
        checksums = np.frombuffer(bytes.fromhex("".join(sha256)), np.uint8).reshape(-1, 32)
        return Places(
            tuple(shards),
            digests[order],
            numbers[order].astype(np.int32),
            offsets[order].astype(np.int64),
            sizes[order].astype(np.int32),
            checksums[order],
        )

    def __getitem__(self, name: str) -> Place:
        at = self._row(name)
        return Place(self.shards[int(self.numbers[at])], int(self.offsets[at]), int(self.sizes[at]))

    def sha256(self, name: str) -> str:
        """Of a picture's bytes when it was indexed, in hexadecimal; raises KeyError if there is none."""
        return self.checksums[self._row(name)].tobytes().hex()

    def _row(self, name: str) -> int:
        digest = _digest(name)
        at = int(np.searchsorted(self.digests, np.bytes_(digest)))
        if at == len(self.digests) or self.digests[at] != digest.rstrip(b"\0"):  # numpy drops zero bytes
            raise KeyError(name)
        return at


def _digest(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=DIGEST).digest()
