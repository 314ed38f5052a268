"""Counts of people and photos by label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline import labels

WINDOW_YEARS = 3  # on either side of a bound


def count_labels(photos: pd.DataFrame) -> dict[str, object]:
    """Counts by class, mask, gender, age group and age; photos, and people where a label is a person's.

    Args:
        photos: columns person, gender, age, mask, true_class.
    """
    people = photos.drop_duplicates("person")
    groups = [labels.AGE_GROUPS[labels.age_group(int(age))] for age in people["age"]]
    return {
        "people": len(people),
        "photos": len(photos),
        "class_photos": _counts([labels.CLASS_NAMES[c] for c in photos["true_class"]], labels.CLASS_NAMES),
        "mask_photos": _counts(list(photos["mask"]), labels.MASKS),
        "gender_people": _counts(list(people["gender"]), labels.GENDERS),
        "age_group_people": _counts(groups, labels.AGE_GROUPS),
        "age_people": _counts([str(a) for a in people["age"]], [str(a) for a in sorted(set(people["age"]))]),
        "around_bounds": {
            str(bound): {
                str(age): int((people["age"] == age).sum())
                for age in range(bound - WINDOW_YEARS, bound + WINDOW_YEARS + 1)
            }
            for bound in (labels.MIDDLE_FROM, labels.OLD_FROM)
        },
    }


def summary(values: np.ndarray) -> dict[str, float]:
    """Least, median, largest value, and the 5 % and 95 % quantiles, rounded to 4 digits behind the point."""
    names = ("min", "q05", "median", "q95", "max")
    quantiles = np.quantile(values, [0, 0.05, 0.5, 0.95, 1])
    return {name: round(float(v), 4) for name, v in zip(names, quantiles, strict=True)}


def _counts(values: Sequence[str], allowed: Sequence[str]) -> dict[str, int]:
    return {value: values.count(value) for value in allowed}
