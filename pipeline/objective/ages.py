"""The age classes that a network learns (`train.age_classes`), and the three groups that they answer in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.labels import AGE_GROUPS
from pipeline.params.learning import Train


def learnt_ages(params: Train) -> int:
    """K, how many ages a network learns: those of `train.age_classes`, or the three groups."""
    return len(params.age_classes) + 1 if params.age_classes else len(AGE_GROUPS)


def age_codes(years: np.ndarray, bounds: Sequence[int]) -> np.ndarray:
    """int64 [n]: the age class of years [n]; class k begins at `bounds[k - 1]`, class 0 at birth."""
    return np.searchsorted(np.asarray(bounds, np.float64), years, side="right").astype(np.int64)


def age_membership(params: Train) -> np.ndarray:
    """float32 [K, 3], 1 where a class belongs to the group; probabilities [.., K] @ it are the groups'.

    A class belongs to the group in which its first year lies, where middle and old begin at
    `Train.age_cuts`.
    """
    if not params.age_classes:
        return np.eye(len(AGE_GROUPS), dtype=np.float32)
    group = age_codes(np.array([0, *params.age_classes]), params.age_cuts)
    return np.eye(len(AGE_GROUPS), dtype=np.float32)[group]
