"""Tables on the data for the report: photos, quarantine, label changes."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

MAX_ROWS = 40  # of a table in the report
GROUP_KEYS = ["field", "before", "after", "reason"]


def summarize_data(index: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, Any]:
    """Photos and people per split, the quarantine, and a fingerprint of all photos in use."""
    splits = []
    for split in ("train", "eval"):
        rows = index[index["split"] == split]
        people = f"{rows['person'].nunique()}" if split == "train" else "unknown"
        if len(rows):
            splits.append({"split": split, "photos": len(rows), "people": people, "sizes": sizes(rows)})
    digest = hashlib.sha256()
    for image, content in zip(index["image"], index["sha256"], strict=True):
        digest.update(f"{image}\0{content}\n".encode("utf-8", "surrogateescape"))
    return {
        "splits": splits,
        "usable": len(index),
        "quarantined": len(quarantine),
        "quarantine": quarantine.head(MAX_ROWS).to_dict("records"),
        "fingerprint": digest.hexdigest(),
    }


def sizes(rows: pd.DataFrame) -> str:
    """`384 × 512`, or the smallest and the largest."""
    ordered = rows.assign(area=rows["width"] * rows["height"]).sort_values(["area", "width"], kind="stable")
    pairs = [f"{w} × {h}" for w, h in zip(ordered["width"], ordered["height"], strict=True)]
    return pairs[0] if len(set(pairs)) == 1 else f"{pairs[0]} to {pairs[-1]}"


def changes(relabel: pd.DataFrame) -> dict[str, Any]:
    """Label changes, grouped, the most frequent first.

    Args:
        relabel: `image, person, field, before, after, reason, source`, text.
    """
    grouped = relabel.groupby(GROUP_KEYS, sort=True).agg(
        photos=("image", "nunique"), people=("person", "nunique")
    )
    ordered = grouped.reset_index().sort_values(
        ["photos", *GROUP_KEYS], ascending=[False] + [True] * len(GROUP_KEYS)
    )
    return {
        "rows": len(relabel),
        "people": int(relabel["person"].nunique()),
        "group_count": len(ordered),
        "groups": ordered.head(MAX_ROWS).to_dict("records"),
    }
