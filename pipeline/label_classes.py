"""Classes of whole tables of labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.labels import GENDERS, MASKS, MIDDLE_FROM, OLD_FROM, class_of


def classes(labels: pd.DataFrame, age: np.ndarray, old_from: int = OLD_FROM) -> np.ndarray:
    """int64 [N], 0-17.

    Args:
        labels: columns gender, mask, words as in the tables; N rows.
        age: int [N], years: true ones, or those that a rule counts them as.
        old_from: where "old" begins; only a training target may use another than the official one.
    """
    mask = labels["mask"].map({word: k for k, word in enumerate(MASKS)}).to_numpy(np.int64)
    gender = labels["gender"].map({word: k for k, word in enumerate(GENDERS)}).to_numpy(np.int64)
    return class_of(mask, gender, (age >= MIDDLE_FROM).astype(np.int64) + (age >= old_from))
