"""What face networks say of each photo, as numbers, and a linear model on them (`train.model: features`).

The model is fitted in seconds: three logistic regressions, of mask, gender and age group; a class has the
product of their probabilities, as with heads `multitask`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from pipeline import labels
from pipeline.runtime.errors import UserError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

FEATURES = "features"  # the value of train.model
APPEND = "append"  # the value of train.face_features
TASKS = ("mask", "gender", "age")
MIN_MALE = 1e-4  # log odds are taken of probabilities at least so far from 0 and 1
STEPS = 2000  # of L-BFGS, at most
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Features:
    """What the networks say of some photos.

    Args:
        numbers: float [N, D].
        blocks: int [D], the block of each: what belongs together: a network's embedding; its gender and age.
    """

    numbers: np.ndarray
    blocks: np.ndarray

    def of(self, rows: np.ndarray) -> Features:
        """The features of int rows [n], in that order."""
        return replace(self, numbers=self.numbers[rows])

    def scaling(self) -> tuple[np.ndarray, np.ndarray]:
        """float64 [D] each: the mean of every number, and the factor that comes after taking it off.

        Every number is scaled to variance 1 and every block to a variance of 1 together, so that 1,024
        numbers of one network do not drown two of another. A number that never varies gets the factor 0.
        """
        numbers = self.numbers.astype(np.float64)
        mean, deviation = numbers.mean(axis=0), numbers.std(axis=0)
        sizes = np.bincount(self.blocks)[self.blocks]
        scale = np.where(deviation > 0, 1 / (np.maximum(deviation, 1e-12) * np.sqrt(sizes)), 0.0)
        return mean, scale


def read_features(faces: pd.DataFrame, images: Sequence[str]) -> Features:
    """The numbers of these photos, in this order.

    Args:
        faces: build/faces.parquet.
        images: keys of photos.

    Raises:
        UserError: no network was asked, or not about one of the photos.
    """
    parts: list[np.ndarray] = []
    for network in sorted(faces["network"].unique()):
        own = faces[faces["network"] == network].set_index("image")
        if missing := set(images) - set(own.index):
            raise UserError(
                f"the face network {network} was not asked about a photo",
                where="build/faces.parquet",
                got=min(missing),
                fix="run `dvc repro faces`",
            )
        rows = own.loc[list(images)]
        parts.append(np.stack([np.asarray(row, np.float64) for row in rows["embedding"]]))
        male = rows["male"].to_numpy(np.float64)
        if not np.isnan(male).any():
            male = np.clip(male, MIN_MALE, 1 - MIN_MALE)
            parts.append(np.stack([np.log(male / (1 - male)), rows["age"].to_numpy(np.float64)], axis=1))
    if not parts:
        raise UserError(
            "no face network was asked, so there is nothing to learn from",
            where="build/faces.parquet",
            got="no rows",
            fix="set faces.network: faceres, or [faceres, dlib], or another train.model",
        )
    blocks = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
    return Features(np.concatenate(parts, axis=1), blocks)


def fit_features(features: Features, classes: np.ndarray, balanced: bool) -> Tensors:
    """The model's numbers by name, to save and to give to `predict_features`.

    Its inputs are scaled by `Features.scaling`; the L2 penalty is scikit-learn's own (C = 1).

    Args:
        features: of the photos to learn from.
        classes: int [N], 0-17.
        balanced: weigh the codes of each task inversely to how often they occur.

    Returns:
        float32: `mean`, `scale` [D]; of each task `TASK.weight` [K, D] and `TASK.bias` [K], -inf for a
        code that does not occur.
    """
    # imported late: it takes 2 s, which stages that only ask a model do not need
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.scaling()
    x = (features.numbers - mean) * scale
    tensors: Tensors = {"mean": mean, "scale": scale}
    for name in TASKS:
        task = labels.TASKS[name]
        weight, bias = np.zeros((task.size, x.shape[1])), np.full(task.size, -np.inf)
        codes = task.code_of(classes)
        present = np.unique(codes)
        if len(present) == 1:
            bias[present] = 0.0
        else:
            model = LogisticRegression(max_iter=STEPS, class_weight="balanced" if balanced else None)
            model.fit(x, codes)
            weight[present], bias[present] = _per_code(model, len(present))
        tensors |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return {key: np.ascontiguousarray(value, np.float32) for key, value in tensors.items()}


def _per_code(model: LogisticRegression, codes: int) -> tuple[np.ndarray, np.ndarray]:
    """A row of weights and a bias for each code; with two codes scikit-learn keeps those of the second."""
    weight, bias = cast(np.ndarray, model.coef_), cast(np.ndarray, model.intercept_)
    if codes > 2:
        return weight, bias
    return np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])


def refuse_other_numbers(features: Features, learnt: int) -> None:
    """Raises a UserError where a model has learnt from another count of numbers than these."""
    if features.numbers.shape[1] != learnt:
        raise UserError(
            "the model was fitted to other face networks' numbers",
            where="build/model",
            got=f"{features.numbers.shape[1]} numbers a photo",
            allowed=f"{learnt}",
            fix="run `dvc repro train`",
        )


def predict_features(tensors: Tensors, features: Features) -> np.ndarray:
    """float64 [N, 18]: probabilities of the classes.

    Raises:
        UserError: the model was fitted to other networks' numbers.
    """
    mean = tensors["mean"].astype(np.float64)
    refuse_other_numbers(features, len(mean))
    x = (features.numbers - mean) * tensors["scale"]
    p = np.ones((len(x), labels.CLASSES))
    for name in TASKS:
        logits = x @ tensors[f"{name}.weight"].astype(np.float64).T + tensors[f"{name}.bias"]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        own = odds / odds.sum(axis=1, keepdims=True)
        p *= own[:, labels.TASKS[name].code_of(np.arange(labels.CLASSES))]
    return p
