"""How many synthetic copies of which photo."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.seeds import unit


def copies_per_photo(photos: pd.DataFrame, copies: float, balance: str, seed: int) -> np.ndarray:
    """Shares out `round(copies * len(photos))` copies.

    Args:
        photos: `image` (unique), `train_class` (>= 0).
        copies: copies per photo, on average.
        balance: "none" = the same for all photos, as far as it divides; "class" = the same total, given so
            that the class counts, photos and copies together, come out as equal as possible: rarest classes
            first.
        seed: which photos of a class get one copy more than the others is decided by hash.

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
    for which, extra in zip(present, levelled(counts, total), strict=True):
        members = np.flatnonzero(classes == which)
        out[members] = _shared(int(extra), order[members])
    return out


def levelled(counts: np.ndarray, total: int) -> np.ndarray:
    """What each of `counts` gets of `total` so that the smallest are raised to one level, as water would be.

    Returns:
        int64, same length, sum = total (all zeros for no counts). The raised ones differ by at most 1
        afterwards.
    """
    extra = np.zeros(len(counts), np.int64)
    if not len(counts):
        return extra
    order = np.argsort(counts, kind="stable")
    ranked = counts[order].astype(np.int64)
    # as many of the smallest as can be brought to the next one's height
    cost = ranked * np.arange(len(ranked)) - np.concatenate([[0], np.cumsum(ranked)[:-1]])
    raised = int(np.searchsorted(cost, total, side="right"))
    level, rest = divmod(int(ranked[:raised].sum()) + total, raised)
    heights = np.full(raised, level, np.int64)
    heights[:rest] += 1
    extra[order[:raised]] = heights - ranked[:raised]
    return extra


def _shared(total: int, order: np.ndarray) -> np.ndarray:
    """`total` shared equally; the remainder goes, one each, to the lowest `order`."""
    if not len(order):
        return np.zeros(0, np.int64)
    each, rest = divmod(total, len(order))
    out = np.full(len(order), each, np.int64)
    out[np.argsort(order, kind="stable")[:rest]] += 1
    return out
