"""Stable folds by person: a person's fold depends only on the person and the seed.

The fold is a hash, balanced in expectation. Choose the best balanced seed once, before the first experiment
(`python -m stages.split --suggest-seed`), or deal stratified folds and write them down:
`pipeline.dataset.folds_table`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.labels import AGE_GROUPS, GENDERS, age_group
from pipeline.seeds import splitmix64

STRATA = tuple(f"{g} {a}" for g in GENDERS for a in AGE_GROUPS)


def person_hashes(people: Sequence[str]) -> np.ndarray:
    """uint64 [N]: BLAKE2b of each person's key."""
    digests = (hashlib.blake2b(p.encode("utf-8"), digest_size=8).digest() for p in people)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def assign_folds(hashes: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """int64 [N], 0 to folds - 1: splitmix64 of the person's hash mixed with that of the seed."""
    return (mix_seed(hashes, seed) % np.uint64(folds)).astype(np.int64)


def mix_seed(hashes: np.ndarray, seed: int) -> np.ndarray:
    """uint64 [N]: the hashes, in another order for another seed."""
    return splitmix64(hashes ^ splitmix64(np.array([seed], dtype=np.uint64)))


def stratify(labels: pd.DataFrame) -> pd.DataFrame:
    """One row per person, sorted: `person`, `stratum` 0-5 = 3 * gender + age group at the official bounds.

    Args:
        labels: columns person, gender, age, with the true labels. If a person's photos differ, the most
            frequent stratum counts.
    """
    codes = np.array(
        [3 * GENDERS.index(g) + age_group(a) for g, a in zip(labels["gender"], labels["age"], strict=True)]
    )
    counts = pd.DataFrame({"person": labels["person"].to_numpy(), "stratum": codes.astype(np.int64)})
    counts = counts.groupby(["person", "stratum"]).size().rename("photos").reset_index()
    counts = counts.sort_values(["person", "photos", "stratum"], ascending=[True, False, True], kind="stable")
    return counts.drop_duplicates("person")[["person", "stratum"]].reset_index(drop=True)


def people_per_cell(strata: np.ndarray, fold: np.ndarray, folds: int) -> np.ndarray:
    """int64 [6, folds]: how many people of each stratum each fold holds."""
    return np.bincount(strata * folds + fold, minlength=len(STRATA) * folds).reshape(len(STRATA), folds)


def chi_square(cells: np.ndarray) -> float:
    """Pearson's chi-square of `cells` [strata, folds] against folds of equal share; 0 = perfectly
    balanced.
    """
    expected = cells.sum(axis=1, keepdims=True) / cells.shape[1]
    present = expected[:, 0] > 0
    return float((((cells - expected) ** 2)[present] / expected[present]).sum())


def best_seed(
    people: Sequence[str], strata: np.ndarray, folds: int, tried: int = 4000
) -> tuple[int, np.ndarray]:
    """The seed below `tried` with the fewest empty cells, then the smallest chi-square, and its cells."""
    hashes = person_hashes(people)
    scores: list[tuple[int, float, int]] = []
    for seed in range(tried):
        cells = people_per_cell(strata, assign_folds(hashes, folds, seed), folds)
        scores.append((int((cells == 0).sum()), round(chi_square(cells), 9), seed))
    best = min(scores)[2]
    return best, people_per_cell(strata, assign_folds(hashes, folds, best), folds)
