"""The photos without labels, and what a trained model says about them (`train.pseudo_labels`).

They join what is learnt, never what is validated on. docs/decisions.md says what that does to a score.
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
from stages.shared.artefacts import COMPOSED, EVAL
from stages.shared.command import Stage
from stages.shared.eye_boxes import known_eyes

if TYPE_CHECKING:
    from pipeline.train.checkpoint import State
    from pipeline.train.data import Examples

ANY_AGE = 45  # years, before they are moved into the age group of the answer


@dataclass(frozen=True)
class Guesses:
    """What was answered confidently.

    Args:
        rows: int64 [g], into `Unlabelled.images`.
        classes: int64 [g], 0-17.
        confidence: float64 [g], the probability of each answer.
        least: `train.pseudo_labels`, from which an answer counts.
        asked: how many photos there were to answer.
        surest: the highest probability of all answers.
    """

    rows: np.ndarray
    classes: np.ndarray
    confidence: np.ndarray
    least: float
    asked: int
    surest: float

    def __len__(self) -> int:
        return len(self.rows)

    def told(self) -> dict[str, Any]:
        """For config.json: how many joined, how sure they were on average, and their classes."""
        return {
            "photos": self.asked,
            "added": len(self),
            "mean_confidence": float(self.confidence.mean()) if len(self) else None,
            "class_counts": np.bincount(self.classes, minlength=CLASSES).tolist(),
        }

    def digest(self) -> str:
        """Tells them from any others: what was learnt with these does not go on with those."""
        return hashlib.blake2b(self.rows.tobytes() + self.classes.tobytes(), digest_size=8).hexdigest()

    def sentence(self) -> str:
        """What joins, for the log."""
        joins = (
            f"on average at {self.confidence.mean():.3f}; a second round learns them too"
            if len(self)
            else f"the surest at {self.surest:.3f}; there is no second round"
        )
        return (
            f"{len(self)} of {self.asked} photos without labels are answered at {self.least} or more, {joins}"
        )


@dataclass(frozen=True)
class Unlabelled:
    """The photos to predict, composed and decoded.

    Args:
        images: their keys, sorted.
        pixels: uint8 [m, S, S, 3].
        eyes: float32 [m, 4], as in `Examples`.
        params: all of them; `train.pseudo_labels` is the confidence from which an answer counts.
        digest: of all that they are.
    """

    images: list[str]
    pixels: np.ndarray
    eyes: np.ndarray
    params: Params
    digest: str

    def guesses(self, state: State) -> Guesses:
        """The confident answers of the network with these weights, about each photo and its mirror image."""
        from pipeline.train.config import resolve_config
        from pipeline.train.data import Pictures
        from pipeline.train.device import explain_cuda_errors
        from pipeline.train.inference import predict_probabilities
        from pipeline.train.network import make_classifier

        config, threshold = resolve_config(self.params.train), self.params.train.pseudo_labels
        assert threshold is not None
        net = make_classifier(config, weights=False)
        net.net.load_state_dict(state)
        with explain_cuda_errors(config.device):
            p = predict_probabilities(net.to(config.device), Pictures((self.pixels,)), config, flip=True)
        confidence = p.max(axis=1)
        rows = np.flatnonzero(confidence >= threshold)
        answers = p[rows].argmax(axis=1).astype(np.int64)
        return Guesses(rows, answers, confidence[rows], threshold, len(p), float(confidence.max()))

    def joined(self, learn: Examples, guesses: Guesses) -> Examples:
        """`learn` and the photos that were guessed, with the guesses as training targets.

        Nobody knows their age in years (heads age_regression): the median age of the group that is learnt.
        """
        from pipeline.objective.objective import years_to_learn
        from pipeline.train.data import Pictures, keys_of

        images = [self.images[row] for row in guesses.rows]
        years = years_to_learn(np.full(len(images), ANY_AGE), guesses.classes)
        groups, learnt = age_group_of(guesses.classes), age_group_of(learn.classes)
        for group in np.intersect1d(groups, learnt):
            years[groups == group] = np.median(learn.years[learnt == group])
        keys = keys_of([f"unlabelled/{image}" for image in images], self.params.train.seed)
        return replace(
            learn,
            pictures=Pictures((*learn.pictures.arrays, self.pixels)),
            rows=np.concatenate([learn.rows, len(learn.pictures) + guesses.rows]),
            classes=np.concatenate([learn.classes, guesses.classes]),
            years=np.concatenate([learn.years, years]),
            keys=np.concatenate([learn.keys, keys]),
            eyes=np.concatenate([learn.eyes, self.eyes[guesses.rows]]),
            plates=learn.plates and learn.plates.with_more(len(images)),
        )


def unlabelled(stage: Stage) -> Unlabelled | None:
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
    eyes = known_eyes(images, params)
    whole = hashlib.blake2b(digest.encode() + eyes.tobytes(), digest_size=16)
    return Unlabelled(images, pixels, eyes, params, whole.hexdigest())
