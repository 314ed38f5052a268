"""How much a model relies on the background: means over photos, with intervals over people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluate.bootstrap import interval, resample_counts
from pipeline.labels import TASKS, age_group_of
from pipeline.seeds import seed_of

MEASURES = ("flip_rate", "same_background", "cam_outside")


def flip_rates(before: np.ndarray, after: np.ndarray) -> dict[str, np.ndarray]:
    """Per task the share of background swaps that change a photo's prediction.

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
    values: np.ndarray, people: np.ndarray, resamples: int, seed: int
) -> dict[str, float] | None:
    """The mean over photos, with the 95 % interval of a bootstrap over people.

    Args:
        values: float [N]; NaN = not measured.
        people: [N], the person of each photo.

    Returns:
        value, low, high; None where no photo has a value.
    """
    has_value = ~np.isnan(values)
    if not has_value.any():
        return None
    _, person_ids = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    sums = np.bincount(person_ids, np.where(has_value, values, 0.0))
    counts = np.bincount(person_ids, has_value.astype(np.float64))
    weights = resample_counts(len(sums), resamples, seed).astype(np.float64)
    photos = weights @ counts
    means = np.divide(weights @ sums, photos, out=np.full(resamples, np.nan), where=photos > 0)
    low, high = interval(means)
    return {"value": float(values[has_value].mean()), "low": low, "high": high}


def summary(rows: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """The content of reliance.json.

    Args:
        rows: a photo each: `person`, `MEASURE_TASK` for each measure and task, `background` (share of the
            picture that is background); NaN = not measured.

    Returns:
        measure → value, low, high of the class and the same per task below `mask`, `gender`, `age`, or None;
        `background_area`, the `cam_outside` of uniform maps.
    """
    people = rows["person"].to_numpy()
    result: dict[str, Any] = {}
    for measure in MEASURES:
        per_task = {
            t: mean_with_interval(rows[f"{measure}_{t}"].to_numpy(), people, resamples, seed) for t in TASKS
        }
        whole = per_task.pop("class")
        result[measure] = None if whole is None else {**whole, **per_task}
    area = rows["background"].to_numpy(dtype=np.float64)
    result["background_area"] = float(np.nanmean(area)) if (~np.isnan(area)).any() else None
    return result


def young_to_old(rows: pd.DataFrame, max_photos: int, seed: int) -> list[str]:
    """Photos for the sheet: half right, half wrong, one per person, spread over the ages.

    Args:
        rows: `image, person, age, true_class, predicted`; age in years.
        max_photos: photos in all.

    Returns:
        Images, right ones first, each part from young to old.
    """
    order = [seed_of(seed, "gradcam", image) for image in rows["image"]]
    # among photos of one age, those whose age group is wrong come first: the hardest of the tasks
    sorted_rows = rows.assign(
        order=order,
        right=rows["true_class"] == rows["predicted"],
        old=age_group_of(rows["true_class"].to_numpy()) == age_group_of(rows["predicted"].to_numpy()),
    ).sort_values(["age", "old", "order"])
    chosen: list[str] = []
    used_people: set[str] = set()
    for right in (True, False):
        part = sorted_rows[
            (sorted_rows["right"] == right) & ~sorted_rows["person"].isin(sorted(used_people))
        ].drop_duplicates("person")
        places = (
            np.unique(np.linspace(0, len(part) - 1, max_photos // 2).round().astype(int)) if len(part) else []
        )
        selected = part.iloc[list(places)]
        chosen += list(selected["image"])
        used_people |= set(selected["person"])
    return chosen
