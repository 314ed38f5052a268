"""Training of `train.model: features`: one fit per fold instead of epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluate import metrics
from pipeline.labels import CLASSES
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say
from pipeline.train.face_features import fit_features, predict_features, read_features
from stages.shared.artefacts import FACES
from stages.shared.command import Stage
from stages.shared.curves import OnEpoch
from stages.shared.training_set import training_table

if TYPE_CHECKING:
    from pipeline.train.checkpoint import Progress


class FeatureTraining:
    """The photos with their numbers; synthetic copies are left out, since no network has looked at them.

    Raises:
        UserError: the tables are incomplete, or no face network was asked.
    """

    def __init__(self, stage: Stage) -> None:
        table = training_table(stage)
        self.params = stage.params.train
        self.table = table[~table["synthetic"]].reset_index(drop=True)
        self.features = read_features(FACES.read(), list(self.table["image"]))

    def fit_fold(self, fold: int, on_epoch: OnEpoch) -> tuple[Progress, np.ndarray]:
        """The fitted model as one finished epoch, and float64 [18], the class prior that it learnt."""
        import torch

        from pipeline.objective.objective import training_prior
        from pipeline.train.checkpoint import Best, Progress
        from pipeline.train.validation import nll

        learn, valid = self._sides(fold)
        target = self.table["train_class"].to_numpy(np.int64)[learn]
        truth = self.table["true_class"].to_numpy(np.int64)[valid]
        say(f"train: features, {self.features.numbers.shape[1]} numbers of each of {len(target)} photos")
        tensors = fit_features(self.features.of(learn), target, self.params.class_weights == "inverse")
        p = predict_features(tensors, self.features.of(valid))
        found = metrics.scores(metrics.confusion(truth, p.argmax(axis=1)))
        row = {f"valid/{k.replace('.', '_')}": float(v) for k, v in found.items() if "macro_f1" in k}
        row["valid/loss"] = nll(p, truth)
        on_epoch([row])
        state = {name: torch.from_numpy(value) for name, value in tensors.items()}
        best = Best(row["valid/macro_f1"], row["valid/loss"], 0, state)
        progress = Progress(1, {}, {"class": best}, best.score, [row], finished=True, device="cpu")
        counts = np.bincount(target, minlength=CLASSES)
        return progress, training_prior(counts, self.params.model_copy(update={"sampler": "none"}))

    def _sides(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        held = (self.table["fold"] == fold).to_numpy()
        learn = np.flatnonzero(~held & (self.table["train_class"] >= 0).to_numpy())
        if len(learn) < 2 or not held.any():
            raise UserError(
                "there are too few photos to train or to validate on",
                where=f"fold {fold}",
                got=[len(learn), int(held.sum())],
                fix="take more people, fewer split.folds, or another split.validation_fold",
            )
        return learn, np.flatnonzero(held)
