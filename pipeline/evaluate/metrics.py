"""Macro-F1, accuracy and confusion matrices, for the 18 classes and per task. Numbers in, numbers out.

Macro-F1 here is `sklearn.metrics.f1_score(truth, predicted, average="macro", zero_division=0)`, the score of
the competition: the mean of F1 over the classes that occur in the truth *or* in the prediction. A class in
neither is left out (small validation sets lack some of the 18); one that is predicted but never true counts
as 0.
"""

from __future__ import annotations

import numpy as np

from pipeline import labels
from pipeline.labels import TASKS, Task


def confusion(truth: np.ndarray, predicted: np.ndarray, size: int = labels.CLASSES) -> np.ndarray:
    """int64 [size, size]: counts of true code i (row) predicted as j (column). Both inputs int [N]."""
    flat = np.asarray(truth, dtype=np.int64) * size + np.asarray(predicted, dtype=np.int64)
    return np.bincount(flat, minlength=size * size).reshape(size, size)


def confusion_by_person(truth: np.ndarray, predicted: np.ndarray, person: np.ndarray) -> np.ndarray:
    """int64 [P, 18, 18]: one confusion matrix for each distinct person, in sorted order of the names."""
    _, person_ids = np.unique(np.asarray(person, dtype=str), return_inverse=True)
    people = int(person_ids.max()) + 1 if len(person_ids) else 0
    cells = labels.CLASSES**2
    flat = (
        person_ids * cells
        + np.asarray(truth, dtype=np.int64) * labels.CLASSES
        + np.asarray(predicted, dtype=np.int64)
    )
    return np.bincount(flat, minlength=people * cells).reshape(people, labels.CLASSES, labels.CLASSES)


def task_confusion(confusions: np.ndarray, task: Task) -> np.ndarray:
    """[..., k, k] confusion of one task from [..., 18, 18] confusions of the classes."""
    member = task.membership().astype(confusions.dtype)
    return member.T @ confusions @ member


def macro_f1(confusions: np.ndarray) -> np.ndarray:
    """float64 [...] in [0, 1] from confusions [..., k, k]; NaN where a matrix is empty."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1).astype(np.float64)
    occurs = confusions.sum(axis=-1) + confusions.sum(axis=-2)  # 2 TP + FP + FN
    f1 = np.divide(2 * right, occurs, out=np.zeros_like(right), where=occurs > 0)
    classes = (occurs > 0).sum(axis=-1)
    return np.divide(f1.sum(axis=-1), classes, out=np.full(classes.shape, np.nan), where=classes > 0)


def class_f1(confusions: np.ndarray) -> np.ndarray:
    """float64 [..., k]: F1 of each class, NaN for a class that occurs neither in truth nor in prediction."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1).astype(np.float64)
    occurs = confusions.sum(axis=-1) + confusions.sum(axis=-2)
    return np.divide(2 * right, occurs, out=np.full(right.shape, np.nan), where=occurs > 0)


def accuracy(confusions: np.ndarray) -> np.ndarray:
    """float64 [...] in [0, 1] from confusions [..., k, k]; NaN where a matrix is empty."""
    right = np.trace(confusions, axis1=-2, axis2=-1).astype(np.float64)
    count = confusions.sum(axis=(-2, -1))
    return np.divide(right, count, out=np.full(right.shape, np.nan), where=count > 0)


def scores(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """`macro_f1`, `accuracy` over the 18 classes and `mask.macro_f1` … `age.accuracy`, each [...].

    Args:
        confusions: [..., 18, 18]; leading axes are e.g. bootstrap draws.
    """
    result: dict[str, np.ndarray] = {}
    for name, task in TASKS.items():
        own = task_confusion(confusions, task)
        prefix = "" if name == "class" else f"{name}."
        result[f"{prefix}macro_f1"] = macro_f1(own)
        result[f"{prefix}accuracy"] = accuracy(own)
    return result
