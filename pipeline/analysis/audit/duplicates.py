"""Near-duplicate photos: similar hashes, confirmed by similar features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 1024  # rows compared at a time, to bound memory
BITS = 256


@dataclass(frozen=True)
class DuplicatePair:
    """Two photos, by row, first < second; `bits` of 256 in which the hashes differ; cosine in [-1, 1]."""

    first: int
    second: int
    bits: int
    cosine: float


def near_duplicates(
    hashes: np.ndarray, features: np.ndarray, owners: Sequence[str], max_bits: int, min_cosine: float
) -> list[DuplicatePair]:
    """Near-duplicate photos of different owners, ordered by row.

    Args:
        hashes: uint64 [N, 4] of `descriptors.difference_hash`.
        features: float [N, D]; centred here, so that unrelated pictures have a cosine about 0.
        owners: N people, or other groups that may not share a photo.
        max_bits: of 256, in which the hashes may differ.
        min_cosine: of the centred features.
    """
    unit = features - features.mean(axis=0)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    _, person_ids = np.unique(np.asarray(owners, dtype=str), return_inverse=True)
    pairs: list[DuplicatePair] = []
    for start in range(0, len(hashes), BLOCK):
        rows = hashes[start : start + BLOCK]
        bits = np.zeros((len(rows), len(hashes) - start), dtype=np.uint16)
        for word in range(hashes.shape[1]):
            bits += np.bitwise_count(rows[:, None, word] ^ hashes[None, start:, word])
        near = (bits <= max_bits) & (person_ids[start : start + BLOCK, None] != person_ids[None, start:])
        for i, j in zip(*np.nonzero(np.triu(near, 1)), strict=True):
            cosine = float(unit[start + i] @ unit[start + j])
            if cosine >= min_cosine:
                pairs.append(DuplicatePair(int(start + i), int(start + j), int(bits[i, j]), cosine))
    return pairs
