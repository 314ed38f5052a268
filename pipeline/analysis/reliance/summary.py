"""How much a model relies on the background: per photo shares in, means with intervals over people out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluate.bootstrap import draws_of_people, interval
from pipeline.labels import TASKS, age_group_of
from pipeline.seeds import seed_of

MEASURES = ("flip_rate", "same_background", "cam_outside")


def changed(before: np.ndarray, after: np.ndarray) -> dict[str, np.ndarray]:
    """Per task the share of the swaps that changed a photo's answer.

    Args:
        before: int [N], class 0-17 of each photo as it is.
        after: int [N, K], class of each photo on K other backgrounds.

    Returns:
        task → float64 [N] in [0, 1].
    """
    return {
        name: (task.code_of(after) != task.code_of(before)[:, None]).mean(axis=1)
        for name, task in TASKS.items()
    }


def mean_with_interval(
    values: np.ndarray, people: np.ndarray, draws: int, seed: int
) -> dict[str, float] | None:
    """The mean over photos, with the 95 % interval of a bootstrap over people.

    Args:
        values: float [N]; NaN = nothing to say about this photo.
        people: [N], whose photo it is.

    Returns:
        value, low, high; None where no photo has a value.
    """
    there = ~np.isnan(values)
    if not there.any():
        return None
    _, who = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    sums = np.bincount(who, np.where(there, values, 0.0))
    counts = np.bincount(who, there.astype(np.float64))
    taken = draws_of_people(len(sums), draws, seed).astype(np.float64)
    photos = taken @ counts
    means = np.divide(taken @ sums, photos, out=np.full(draws, np.nan), where=photos > 0)
    low, high = interval(means)
    return {"value": float(values[there].mean()), "low": low, "high": high}


def summary(rows: pd.DataFrame, draws: int, seed: int) -> dict[str, Any]:
    """What goes into reliance.json.

    Args:
        rows: a photo each: `person`, `MEASURE_TASK` for each measure and task, `background` (share of the
            picture that is background); NaN = not measured.

    Returns:
        measure → value, low, high of the class and the same per task below `mask`, `gender`, `age`, or None;
        `background_area`, what `cam_outside` would be if the maps were even.
    """
    people = rows["person"].to_numpy()
    found: dict[str, Any] = {}
    for measure in MEASURES:
        per_task = {
            t: mean_with_interval(rows[f"{measure}_{t}"].to_numpy(), people, draws, seed) for t in TASKS
        }
        whole = per_task.pop("class")
        found[measure] = None if whole is None else {**whole, **per_task}
    area = rows["background"].to_numpy(dtype=np.float64)
    found["background_area"] = float(np.nanmean(area)) if (~np.isnan(area)).any() else None
    return found


def young_to_old(rows: pd.DataFrame, most: int, seed: int) -> list[str]:
    """Which photos the sheet shows: right and wrong in equal parts, one person once, spread over the ages.

    Args:
        rows: `image, person, age, true_class, predicted`; age in years.
        most: photos in all.

    Returns:
        Images, right ones first, each part from young to old.
    """
    order = [seed_of(seed, "gradcam", image) for image in rows["image"]]
    # among photos of one age, those whose age group is wrong come first: the hardest of the tasks
    own = rows.assign(
        order=order,
        right=rows["true_class"] == rows["predicted"],
        old=age_group_of(rows["true_class"].to_numpy()) == age_group_of(rows["predicted"].to_numpy()),
    ).sort_values(["age", "old", "order"])
    chosen: list[str] = []
    seen: set[str] = set()
    for right in (True, False):
        part = own[(own["right"] == right) & ~own["person"].isin(sorted(seen))].drop_duplicates("person")
        places = np.unique(np.linspace(0, len(part) - 1, most // 2).round().astype(int)) if len(part) else []
        picked = part.iloc[list(places)]
        chosen += list(picked["image"])
        seen |= set(picked["person"])
    return chosen
