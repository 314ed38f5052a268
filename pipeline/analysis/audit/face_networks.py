"""Gender and age of a person by face networks, from the photo that covers the face least.

A network that says gender or age itself is believed as a judge that needs no training; of any other one, a
model is learnt out of fold on its embedding. Masked photos are not asked where there is another one: as
witnesses they make the ranking worse (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.analysis.audit.out_of_fold import MIN_PROBABILITY, out_of_fold, sharpened

L2 = 0.1  # penalty of the regressions: on unit embeddings, or on one number with spread 1
COVERED = {"none": 0, "incorrect": 1, "worn": 2}  # how much of a face a mask covers, by its label


@dataclass(frozen=True)
class Answers:
    """What one network says about photos.

    Attributes:
        male: float [N], probability; NaN where it does not say.
        age: float [N], years; NaN where it does not say.
        embedding: float [N, D].
    """

    male: np.ndarray
    age: np.ndarray
    embedding: np.ndarray


def least_covered(masks: Sequence[str], person_ids: np.ndarray) -> np.ndarray:
    """int64 [P]: of each person the first photo with the least of the face under a mask.

    Args:
        masks: N labels, `none`, `incorrect` or `worn`.
        person_ids: int [N], the photo's person, 0 to P - 1.
    """
    covered = np.array([COVERED[mask] for mask in masks])
    order = np.lexsort((np.arange(len(covered)), covered, person_ids))
    return order[np.unique(person_ids[order], return_index=True)[1]]


def views_of(task: str, answers: Mapping[str, Answers], rows: np.ndarray) -> list[np.ndarray]:
    """Of each network, what speaks for `task` (gender or age): float64 [P, 1], its own answer, or [P, D],
    its embedding at length 1.

    Of age an embedding knows too little to stand beside a network that says it.

    Args:
        rows: int [P], a photo of each person.
    """
    views = [_view(task, one, rows) for one in answers.values()]
    said = [view for view in views if view.shape[1] == 1]
    return said if task == "age" and said else views


def _view(task: str, answers: Answers, rows: np.ndarray) -> np.ndarray:
    said = {"gender": answers.male, "age": answers.age}[task][rows].astype(np.float64)
    if np.isnan(said).any():
        embedding = answers.embedding[rows].astype(np.float64)
        return embedding / np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-9)
    if task == "gender":
        p = np.clip(said, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
        said = np.log(p / (1 - p))
    return ((said - said.mean()) / max(float(said.std()), 1e-9))[:, None]


def judged(views: Sequence[np.ndarray], codes: np.ndarray, folds: np.ndarray, size: int) -> np.ndarray:
    """float64 [P, size]: probabilities of the codes by all views together.

    Each view alone gives probabilities to people that its regression has not learnt (of a judge's one number
    it learns a scale and a bound); their logarithms, each divided by its spread, are added, so that no view
    speaks louder for being surer of itself.

    Args:
        views: of `views_of`, at least one.
        codes: int [P], the given labels.
        folds: int [P].
        size: number of codes.
    """
    total = np.zeros((len(codes), size))
    for view in views:
        logs = np.log(out_of_fold(view, codes, folds, size, L2))
        logs -= logs.mean(axis=1, keepdims=True)
        total += logs / max(float(logs.std()), 1e-9)
    powers = np.exp(total - total.max(axis=1, keepdims=True))
    p = np.maximum(powers / powers.sum(axis=1, keepdims=True), MIN_PROBABILITY)
    return sharpened(p / p.sum(axis=1, keepdims=True), codes)
