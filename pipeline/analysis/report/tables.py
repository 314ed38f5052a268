"""What the report says about the data: what came in, what was set aside, what changed."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

MOST = 40  # rows that a table of the report shows
ALIKE = ["field", "before", "after", "reason"]


def came_in(index: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, Any]:
    """Photos and people per split, what was set aside, and a fingerprint of everything that was used."""
    splits = []
    for split in ("train", "eval"):
        rows = index[index["split"] == split]
        people = f"{rows['person'].nunique()}" if split == "train" else "not told"
        if len(rows):
            splits.append({"split": split, "photos": len(rows), "people": people, "sizes": sizes(rows)})
    digest = hashlib.sha256()
    for image, content in zip(index["image"], index["sha256"], strict=True):
        digest.update(f"{image}\0{content}\n".encode("utf-8", "surrogateescape"))
    return {
        "splits": splits,
        "usable": len(index),
        "quarantined": len(quarantine),
        "quarantine": quarantine.head(MOST).to_dict("records"),
        "fingerprint": digest.hexdigest(),
    }


def sizes(rows: pd.DataFrame) -> str:
    """`384 × 512`, or the smallest and the largest."""
    ordered = rows.assign(area=rows["width"] * rows["height"]).sort_values(["area", "width"], kind="stable")
    pairs = [f"{w} × {h}" for w, h in zip(ordered["width"], ordered["height"], strict=True)]
    return pairs[0] if len(set(pairs)) == 1 else f"{pairs[0]} to {pairs[-1]}"


def changes(relabel: pd.DataFrame) -> dict[str, Any]:
    """Label changes, those alike together, the most frequent first.

    Args:
        relabel: `image, person, field, before, after, reason, source`, text.
    """
    grouped = relabel.groupby(ALIKE, sort=True).agg(photos=("image", "nunique"), people=("person", "nunique"))
    ordered = grouped.reset_index().sort_values(["photos", *ALIKE], ascending=[False] + [True] * len(ALIKE))
    return {
        "rows": len(relabel),
        "people": int(relabel["person"].nunique()),
        "kinds": len(ordered),
        "groups": ordered.head(MOST).to_dict("records"),
    }
