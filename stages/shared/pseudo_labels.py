"""Pseudo-labels: confident predictions for the photos without labels (`train.pseudo_labels`).

They are added to training, never to validation. docs/decisions.md describes their effect on scores.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.io.image_store import composed_name
from pipeline.labels import CLASSES, age_group_of
from pipeline.params import Params
from pipeline.runtime.errors import UserError
from pipeline.train.face_features import Features
from stages.shared.artefacts import COMPOSED, EVAL
from stages.shared.command import Stage
from stages.shared.eye_boxes import read_eyes
from stages.shared.face_numbers import faces_to_append

if TYPE_CHECKING:
    from pipeline.train.checkpoint import State
    from pipeline.train.data import Examples

ANY_AGE = 45  # years, before moving into the predicted age group


@dataclass(frozen=True)
class PseudoLabels:
    """The confident predictions.

    Args:
        rows: int64 [g], into `Unlabelled.images`.
        classes: int64 [g], 0-17.
        confidence: float64 [g], the probability of each class.
        min_confidence: `train.pseudo_labels`.
        photos: number of photos without labels.
        max_confidence: the highest probability of all photos.
    """

    rows: np.ndarray
    classes: np.ndarray
    confidence: np.ndarray
    min_confidence: float
    photos: int
    max_confidence: float

    def __len__(self) -> int:
        return len(self.rows)

    def summary(self) -> dict[str, Any]:
        """For config.json: number of photos added, their mean confidence and classes."""
        return {
            "photos": self.photos,
            "added": len(self),
            "mean_confidence": float(self.confidence.mean()) if len(self) else None,
            "class_counts": np.bincount(self.classes, minlength=CLASSES).tolist(),
        }

    def digest(self) -> str:
        """A hash of the pseudo-labels, so that no checkpoint resumes with others."""
        return hashlib.blake2b(self.rows.tobytes() + self.classes.tobytes(), digest_size=8).hexdigest()

    def log_line(self) -> str:
        """A log line about the added photos."""
        joins = (
            f"on average at {self.confidence.mean():.3f}; a second round learns them too"
            if len(self)
            else f"at most {self.max_confidence:.3f}; there is no second round"
        )
        return (
            f"{len(self)} of {self.photos} photos without labels have a confidence of {self.min_confidence} "
            f"or more, {joins}"
        )


@dataclass(frozen=True)
class Unlabelled:
    """The photos to predict, composed and decoded.

    Args:
        images: their keys, sorted.
        pixels: uint8 [m, S, S, 3].
        faces: what face networks say of them, or None.
        eyes: float32 [m, 4], as in `Examples`.
        params: all of them; `train.pseudo_labels` is the minimum confidence.
        digest: of keys, pixels, faces and eyes.
    """

    images: list[str]
    pixels: np.ndarray
    faces: Features | None
    eyes: np.ndarray
    params: Params
    digest: str

    def predict(self, state: State) -> PseudoLabels:
        """The confident predictions of the network with these weights, averaged over each photo's flip."""
        from pipeline.train.config import resolve_config
        from pipeline.train.data import Pictures
        from pipeline.train.device import explain_cuda_errors
        from pipeline.train.face_layer import face_numbers_in
        from pipeline.train.inference import predict_probabilities
        from pipeline.train.network import make_classifier

        config, threshold = resolve_config(self.params.train), self.params.train.pseudo_labels
        assert threshold is not None
        net = make_classifier(config, weights=False, face_numbers=face_numbers_in(state))
        net.net.load_state_dict(state)
        with explain_cuda_errors(config.device):
            pictures = Pictures((self.pixels,), self.faces)
            p = predict_probabilities(net.to(config.device), pictures, config, flip=True)
        confidence = p.max(axis=1)
        rows = np.flatnonzero(confidence >= threshold)
        answers = p[rows].argmax(axis=1).astype(np.int64)
        return PseudoLabels(rows, answers, confidence[rows], threshold, len(p), float(confidence.max()))

    def add_to(self, learn: Examples, pseudo_labels: PseudoLabels) -> Examples:
        """`learn` plus the pseudo-labelled photos.

        Their age in years (heads age_regression) is the median of the predicted group in training.
        """
        from pipeline.objective.objective import years_to_learn
        from pipeline.train.data import Pictures, keys_of

        images = [self.images[row] for row in pseudo_labels.rows]
        years = years_to_learn(np.full(len(images), ANY_AGE), pseudo_labels.classes)
        groups, learnt = age_group_of(pseudo_labels.classes), age_group_of(learn.classes)
        for group in np.intersect1d(groups, learnt):
            years[groups == group] = np.median(learn.years[learnt == group])
        keys = keys_of([f"unlabelled/{image}" for image in images], self.params.train.seed)
        return replace(
            learn,
            pictures=learn.pictures.and_more(Pictures((self.pixels,), self.faces)),
            rows=np.concatenate([learn.rows, len(learn.pictures) + pseudo_labels.rows]),
            classes=np.concatenate([learn.classes, pseudo_labels.classes]),
            years=np.concatenate([learn.years, years]),
            keys=np.concatenate([learn.keys, keys]),
            eyes=np.concatenate([learn.eyes, self.eyes[pseudo_labels.rows]]),
            alike=np.concatenate([learn.alike, learn.alike.max() + 1 + np.arange(len(images))]),
            weights=np.concatenate([learn.weights, np.ones(len(images))]),
            plates=learn.plates and learn.plates.with_more(len(images)),
        )


def load_unlabelled(stage: Stage) -> Unlabelled | None:
    """The photos to predict, or None while `train.pseudo_labels` is null.

    Raises:
        UserError: there are none.
    """
    params = stage.params
    if params.train.pseudo_labels is None:
        return None
    table = EVAL.read("ImageID", "image")
    images = list(stage.first(table[table["image"] != ""].sort_values("image"))["image"])
    if not images:
        raise UserError(
            "there are no photos without labels to learn from",
            where="train.pseudo_labels",
            got=str(params.train.pseudo_labels),
            fix="set train.pseudo_labels: null, or add eval/ to the data folder",
        )
    names = [composed_name(image) for image in images]
    pixels, digest = stage.decoded(COMPOSED, names, params.train.size)
    faces, eyes = faces_to_append(params.train, images), read_eyes(images, params)
    said = faces.numbers.tobytes() if faces else b""
    whole = hashlib.blake2b(digest.encode() + eyes.tobytes() + said, digest_size=16)
    return Unlabelled(images, pixels, faces, eyes, params, whole.hexdigest())
