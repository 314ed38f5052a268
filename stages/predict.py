"""Predicts the classes of the photos without labels.

Reads build/model, build/images and build/eval.parquet; writes reports/submission.csv (`ImageID,ans`, in the
order of eval/info.csv), reports/submission_probabilities.csv (`ImageID,p0 … p17`, for `cleanplate vote
--soft`) and reports/predict.json, the class distributions of predictions and training set. With `train.folds:
all` the models of all folds vote.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluate.decision import decide
from pipeline.evaluate.prior import corrected, estimated_prior
from pipeline.evaluate.vote import hard_vote
from pipeline.io.atomic import write_json
from pipeline.io.tables import write_csv
from pipeline.labels import CLASS_NAMES, CLASSES
from pipeline.params.learning import Predict
from pipeline.runtime.progress import say
from stages.shared.artefacts import EVAL
from stages.shared.command import Stage, stage_command
from stages.shared.model import ModelConfig, predict_each, read_config

SUBMISSION, DISTRIBUTION = "reports/submission.csv", "reports/predict.json"
PROBABILITIES = "reports/submission_probabilities.csv"
DECIMALS = 6  # decimals of a probability
MAX_LOGGED_CLASSES = 5  # classes whose estimated share the log shows


def run(stage: Stage) -> None:
    """Predicts and publishes."""
    rows = stage.first(EVAL.read().sort_values("position"))
    config = read_config()
    learnt = np.asarray(config.class_counts)
    present = (rows["image"] != "").to_numpy()
    answers = np.full(len(rows), int(learnt.argmax()), np.int64)
    p = np.tile(learnt / max(learnt.sum(), 1), (len(rows), 1))  # missing photos get the class prior
    prior = None
    if rows.empty:
        say("predict: the data folder holds no photos to predict (eval/), so the submission is empty")
    elif present.any():
        say(f"predict: loading the model for {present.sum()} photos")
        each = predict_each(
            config, config.folds, list(rows.loc[present, "image"]), stage, stage.params.predict
        )
        if stage.params.predict.prior_correction:
            each, prior = correct_prior(each, config)
        p[present] = each.mean(axis=0)
        answers[present] = answered(each, stage.params.predict)
    missing = list(rows.loc[~present, "ImageID"])
    warn_about_missing(missing, int(learnt.argmax()))
    names = pd.DataFrame({"ImageID": rows["ImageID"].to_numpy()})
    columns = {f"p{c}": p[:, c].round(DECIMALS) for c in range(CLASSES)}
    write_csv(stage.out(SUBMISSION), names.assign(ans=answers))
    write_csv(stage.out(PROBABILITIES), names.assign(**columns))
    write_json(stage.out(DISTRIBUTION), distribution(answers[present], learnt, missing, prior))
    say(f"predict: {len(rows)} rows, {int(present.sum())} photos predicted")


def answered(each: np.ndarray, params: Predict) -> np.ndarray:
    """int64 [N]: the answers, by vote and decision, from the probabilities of each model, [F, N, 18]."""
    if params.vote == "hard":
        return hard_vote(np.stack([decide(p, params.decision) for p in each]), np.ones(len(each)))
    return decide(each.mean(axis=0), params.decision)


def correct_prior(each: np.ndarray, config: ModelConfig) -> tuple[np.ndarray, dict[str, Any]]:
    """Corrects the probabilities for the class prior of these photos.

    Args:
        each: float64 [F, N, 18], of the model of each fold.

    Returns:
        The corrected probabilities, and details for predict.json: learnt and estimated prior (means over the
        models), and the number of changed answers.
    """
    learnt = np.array([config.learnt_mix[fold] for fold in config.folds])
    estimated = np.stack([estimated_prior(p, mix) for p, mix in zip(each, learnt, strict=True)])
    after = np.stack([corrected(p, mix, new) for p, mix, new in zip(each, learnt, estimated, strict=True)])
    changed = int((each.mean(axis=0).argmax(axis=1) != after.mean(axis=0).argmax(axis=1)).sum())
    before, now = learnt.mean(axis=0), estimated.mean(axis=0)
    moved = sorted(range(CLASSES), key=lambda c: (-abs(now[c] - before[c]), c))[:MAX_LOGGED_CLASSES]
    text = ", ".join(f"{CLASS_NAMES[c]} {before[c]:.1%} → {now[c]:.1%}" for c in moved)
    say(f"predict: class prior (learnt → estimated): {text} …; {changed} answers changed")
    return after, {"learnt_mix": before.tolist(), "estimated_mix": now.tolist(), "changed_answers": changed}


def warn_about_missing(missing: list[str], common: int) -> None:
    """Warns about photos that get the most frequent class."""
    if missing:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        say(
            f"predict: warning: {len(missing)} photos are missing or cannot be read and get the "
            f"most frequent class, {common} ({CLASS_NAMES[common]}): {', '.join(missing[:10])}{more}"
        )


def distribution(
    answers: np.ndarray, learnt: np.ndarray, missing: list[str], prior: dict[str, Any] | None
) -> dict[str, object]:
    """Class distributions of the predicted photos and of the training set."""
    predicted = np.bincount(answers, minlength=CLASSES)
    return {
        "photos": len(answers),
        "missing": missing,
        "prior": prior,
        "classes": [
            {
                "class": c,
                "name": CLASS_NAMES[c],
                "predicted": int(predicted[c]),
                "predicted_share": float(predicted[c] / max(predicted.sum(), 1)),
                "training": int(learnt[c]),
                "training_share": float(learnt[c] / max(learnt.sum(), 1)),
            }
            for c in range(CLASSES)
        ],
    }


if __name__ == "__main__":
    stage_command("predict", run, __doc__ or "")
