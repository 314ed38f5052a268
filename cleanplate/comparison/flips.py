"""Who changes: people about whom two models answer differently."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cleanplate.comparison.alignment import Aligned


def flipped_people(data: Aligned, reference: str, variant: str) -> pd.DataFrame:
    """`person, photos, mended, broken, other` of people with a flip, those who gain or lose most first.

    `mended`: wrong under the reference, right under the variant; `broken`: the other way round; `other`:
    wrong under both, differently.
    """
    before, after = data.predicted[reference], data.predicted[variant]
    was, is_ = before == data.truth, after == data.truth
    table = pd.DataFrame(
        {
            "person": data.person,
            "photos": np.ones(len(was), dtype=np.int64),
            "mended": ~was & is_,
            "broken": was & ~is_,
            "other": ~was & ~is_ & (before != after),
        }
    )
    people = table.groupby("person", sort=True).sum().astype(np.int64).reset_index()
    people = people[people[["mended", "broken", "other"]].any(axis=1)]
    net = (people["mended"] - people["broken"]).abs()
    flips = people[["mended", "broken", "other"]].sum(axis=1)
    order = np.lexsort((people["person"].to_numpy(str), -flips.to_numpy(), -net.to_numpy()))
    return people.iloc[order].reset_index(drop=True)
