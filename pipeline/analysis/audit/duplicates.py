"""Photos that show the same: hashes that nearly agree, confirmed by what the pictures look like."""

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
    hashes: np.ndarray, features: np.ndarray, owners: Sequence[str], most_bits: int, least_cosine: float
) -> list[DuplicatePair]:
    """Pairs of photos of different owners that show the same, ordered by row.

    Args:
        hashes: uint64 [N, 4] of `descriptors.difference_hash`.
        features: float [N, D]; centred here, so that two pictures of no relation have a cosine about 0.
        owners: N people, or what else may not share a photo.
        most_bits: of 256, in which the hashes may differ.
        least_cosine: of the centred features.
    """
    unit = features - features.mean(axis=0)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    _, who = np.unique(np.asarray(owners, dtype=str), return_inverse=True)
    found: list[DuplicatePair] = []
    for start in range(0, len(hashes), BLOCK):
        rows = hashes[start : start + BLOCK]
        bits = np.zeros((len(rows), len(hashes) - start), dtype=np.uint16)
        for word in range(hashes.shape[1]):
            bits += np.bitwise_count(rows[:, None, word] ^ hashes[None, start:, word])
        near = (bits <= most_bits) & (who[start : start + BLOCK, None] != who[None, start:])
        for i, j in zip(*np.nonzero(np.triu(near, 1)), strict=True):
            cosine = float(unit[start + i] @ unit[start + j])
            if cosine >= least_cosine:
                found.append(DuplicatePair(int(start + i), int(start + j), int(bits[i, j]), cosine))
    return found
