"""The labels: mask x gender x age group = 18 classes. Codes, words and bounds; numbers only, no files.

    class = 6 * mask + 3 * gender + age group

mask 0 worn, 1 incorrect, 2 none; gender 0 male, 1 female; age group 0 below 30, 1 from 30 to 59, 2 from 60.
A prediction answers four questions, the tasks: the class of 18, and mask, gender and age group one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pipeline.runtime.errors import nearest

if TYPE_CHECKING:
    import pandas as pd

MASKS = ("worn", "incorrect", "none")
GENDERS = ("male", "female")
AGE_GROUPS = ("<30", "30-59", ">=60")
CLASSES = len(MASKS) * len(GENDERS) * len(AGE_GROUPS)
CLASS_NAMES = tuple(f"{m} {g} {a}" for m in MASKS for g in GENDERS for a in AGE_GROUPS)

MIDDLE_FROM = 30  # the official bounds; a validation label never uses others
OLD_FROM = 60
OLDEST = 120

SYNONYMS = {  # words for `mask` that tables of other teams use
    "mask": "worn",
    "wear": "worn",
    "correct": "worn",
    "incorrect_mask": "incorrect",
    "normal": "none",
    "no_mask": "none",
    "not_worn": "none",
    "not wear": "none",
    **{f"mask{k}": "worn" for k in range(1, 6)},
}
MASK_OF_STEM = {**{f"mask{k}": "worn" for k in range(1, 6)}, "incorrect_mask": "incorrect", "normal": "none"}

Ints = TypeVar("Ints", int, np.ndarray)


def class_of(mask: Ints, gender: Ints, age_group: Ints) -> Ints:
    """The class 0-17 from the three codes; ints, or int arrays of one shape."""
    return 6 * mask + 3 * gender + age_group


def mask_of(classes: Ints) -> Ints:
    """Mask code 0-2 of a class 0-17."""
    return classes // 6


def gender_of(classes: Ints) -> Ints:
    """Gender code 0-1 of a class 0-17."""
    return classes // 3 % 2


def age_group_of(classes: Ints) -> Ints:
    """Age group 0-2 of a class 0-17."""
    return classes % 3


def age_group(age: int, old_from: int = OLD_FROM) -> int:
    """Age group 0-2 of an age in years. Only a training target may use another `old_from` than 60."""
    return 2 if age >= old_from else 1 if age >= MIDDLE_FROM else 0


def true_class(mask: str, gender: str, age: int, old_from: int = OLD_FROM) -> int:
    """The class 0-17 from the words of the tables and the age in years."""
    return class_of(MASKS.index(mask), GENDERS.index(gender), age_group(age, old_from))


def classes_of(table: pd.DataFrame, age: np.ndarray, old_from: int = OLD_FROM) -> np.ndarray:
    """int64 [N], the classes 0-17 of a table of labels.

    Args:
        table: columns gender, mask, words as in the tables; N rows.
        age: int [N], years: true ones, or those that a rule counts them as.
        old_from: where "old" begins; only a training target may use another than the official one.
    """
    mask = table["mask"].map({word: k for k, word in enumerate(MASKS)}).to_numpy(np.int64)
    gender = table["gender"].map({word: k for k, word in enumerate(GENDERS)}).to_numpy(np.int64)
    return class_of(mask, gender, (age >= MIDDLE_FROM).astype(np.int64) + (age >= old_from))


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
        codes = self.code_of(np.arange(CLASSES))
        return np.eye(self.size, dtype=np.float32)[codes]


TASKS = {
    "class": Task("class", CLASS_NAMES, lambda classes: classes),
    "mask": Task("mask", MASKS, mask_of),
    "gender": Task("gender", GENDERS, gender_of),
    "age": Task("age", AGE_GROUPS, age_group_of),
}


def read_mask(text: str) -> str:
    """`worn`, `incorrect` or `none` from such a word or a synonym.

    Raises:
        ValueError: with one sentence that says what is allowed.
    """
    word = text.strip().lower()
    if word in MASKS:
        return word
    if word in SYNONYMS:
        return SYNONYMS[word]
    close = nearest(word, [*MASKS, *SYNONYMS])
    words = f"{', '.join(MASKS)} (or {', '.join(sorted(SYNONYMS))})"
    raise ValueError(f"mask is {text!r}{_hint(close)}; allowed: {words}")


def read_gender(text: str) -> str:
    """`male` or `female`, in any case.

    Raises:
        ValueError: with one sentence that says what is allowed.
    """
    word = text.strip().lower()
    if word in GENDERS:
        return word
    raise ValueError(f"gender is {text!r}{_hint(nearest(word, GENDERS))}; allowed: {', '.join(GENDERS)}")


def read_age(text: str) -> int:
    """Years, 0 to 120, from a table cell; `25.0`, as spreadsheets and pandas write it, is 25.

    Raises:
        ValueError: with one sentence that says what is allowed.
    """
    if re.fullmatch(r"[0-9]{1,3}(\.0+)?", text.strip()):
        age = int(text.strip().split(".")[0])
        if age <= OLDEST:
            return age
    raise ValueError(f"age is {text!r}; allowed: whole years from 0 to {OLDEST}")


def _hint(close: str | None) -> str:
    return f", did you mean {close!r}?" if close else ""
