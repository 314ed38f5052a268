"""How many synthetic copies of each photo."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.seeds import unit


def copies_per_photo(photos: pd.DataFrame, copies: float, balance: str, seed: int) -> np.ndarray:
    """Shares out `round(copies * len(photos))` copies.

    Args:
        photos: `image` (unique), `train_class` (>= 0).
        copies: copies per photo, on average.
        balance: "none" = equally over photos, as far as it divides; "class" = the same total, shared out so
            that the class counts, photos plus copies, become as equal as possible: rarest classes first.
        seed: of the hash that decides which photos of a class get one copy more.

    Returns:
        int64 [len(photos)], in the order of `photos`.
    """
    order = np.array([unit(seed, "copies", image) for image in photos["image"]])
    total = round(copies * len(photos))
    if balance == "none":
        return _shared(total, order)
    out = np.zeros(len(photos), np.int64)
    classes = photos["train_class"].to_numpy()
    present, counts = np.unique(classes, return_counts=True)
    for code, extra in zip(present, water_filled(counts, total), strict=True):
        members = np.flatnonzero(classes == code)
        out[members] = _shared(int(extra), order[members])
    return out


def water_filled(counts: np.ndarray, total: int) -> np.ndarray:
    """Shares of `total` that raise the smallest of `counts` to one level (water-filling).

    Returns:
        int64, same length, sum = total (empty for no counts). The raised counts differ by at most 1.
    """
    extra = np.zeros(len(counts), np.int64)
    if not len(counts):
        return extra
    order = np.argsort(counts, kind="stable")
    ranked = counts[order].astype(np.int64)
    # cost[k]: what raises the k smallest to the level of the next
    cost = ranked * np.arange(len(ranked)) - np.concatenate([[0], np.cumsum(ranked)[:-1]])
    raised = int(np.searchsorted(cost, total, side="right"))
    level, rest = divmod(int(ranked[:raised].sum()) + total, raised)
    heights = np.full(raised, level, np.int64)
    heights[:rest] += 1
    extra[order[:raised]] = heights - ranked[:raised]
    return extra


def _shared(total: int, order: np.ndarray) -> np.ndarray:
    """`total` shared equally; the remainder goes, one each, to the lowest in `order`."""
    if not len(order):
        return np.zeros(0, np.int64)
    each, rest = divmod(total, len(order))
    out = np.full(len(order), each, np.int64)
    out[np.argsort(order, kind="stable")[:rest]] += 1
    return out
