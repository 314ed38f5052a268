"""The four questions that a prediction answers: the class of 18, and mask, gender, age group one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline import labels


@dataclass(frozen=True)
class Task:
    """One question about a photo.

    Args:
        name: `class`, `mask`, `gender` or `age`.
        values: words for its codes, in order.
        code_of: its code from a class 0-17; takes int arrays.
    """

    name: str
    values: tuple[str, ...]
    code_of: Callable[[np.ndarray], np.ndarray]

    @property
    def size(self) -> int:
        return len(self.values)

    def membership(self) -> np.ndarray:
        """float32 [18, size], 1 where the class has the code; probabilities [.., 18] @ it are the task's."""
        codes = self.code_of(np.arange(labels.CLASSES))
        return np.eye(self.size, dtype=np.float32)[codes]


TASKS = {
    "class": Task("class", labels.CLASS_NAMES, lambda classes: classes),
    "mask": Task("mask", labels.MASKS, labels.mask_of),
    "gender": Task("gender", labels.GENDERS, labels.gender_of),
    "age": Task("age", labels.AGE_GROUPS, labels.age_group_of),
}
