"""Predict the class of the photos without labels.

Reads build/model, build/images and build/eval.parquet; writes reports/submission.csv (`ImageID,ans`, in the
order of eval/info.csv), reports/submission_probabilities.csv (`ImageID,p0 … p17`, what `cleanplate vote
--soft` takes) and reports/predict.json: how often each class is predicted, beside how often it was learnt.
With `train.folds: all` the models of all folds vote.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluate.prior import corrected, estimated_prior
from pipeline.evaluate.vote import hard_vote
from pipeline.io.atomic import write_json
from pipeline.io.tables import write_csv
from pipeline.labels import CLASS_NAMES, CLASSES
from pipeline.runtime.progress import say
from stages.shared.artefacts import EVAL
from stages.shared.command import Stage, stage_command
from stages.shared.model import ModelConfig, predict_each, read_config

SUBMISSION, DISTRIBUTION = "reports/submission.csv", "reports/predict.json"
PROBABILITIES = "reports/submission_probabilities.csv"
PLACES = 6  # decimals of a probability
SHOWN = 5  # classes whose estimated share the log shows


def run(stage: Stage) -> None:
    """Predicts and publishes."""
    rows = stage.first(EVAL.read().sort_values("position"))
    config = read_config()
    learnt = np.asarray(config.class_counts)
    there = (rows["image"] != "").to_numpy()
    answers = np.full(len(rows), int(learnt.argmax()), np.int64)
    p = np.tile(learnt / max(learnt.sum(), 1), (len(rows), 1))  # of whom nobody looked at: the usual mix
    prior = None
    if rows.empty:
        say("predict: the data folder holds no photos to predict (eval/), so the submission is empty")
    elif there.any():
        say(f"predict: loading the model for {there.sum()} photos")
        each = predict_each(config, config.folds, list(rows.loc[there, "image"]), stage, stage.params.predict)
        if stage.params.predict.prior_correction:
            each, prior = corrected_for_mix(each, config)
        p[there] = each.mean(axis=0)
        hard = stage.params.predict.vote == "hard"
        answers[there] = (
            hard_vote(each.argmax(axis=2), np.ones(len(each))) if hard else p[there].argmax(axis=1)
        )
    missing = list(rows.loc[~there, "ImageID"])
    warn_of(missing, int(learnt.argmax()))
    names = pd.DataFrame({"ImageID": rows["ImageID"].to_numpy()})
    columns = {f"p{c}": p[:, c].round(PLACES) for c in range(CLASSES)}
    write_csv(stage.out(SUBMISSION), names.assign(ans=answers))
    write_csv(stage.out(PROBABILITIES), names.assign(**columns))
    write_json(stage.out(DISTRIBUTION), distribution(answers[there], learnt, missing, prior))
    say(f"predict: {len(rows)} photos, {int(there.sum())} of them looked at")


def corrected_for_mix(each: np.ndarray, config: ModelConfig) -> tuple[np.ndarray, dict[str, Any]]:
    """The probabilities as they would be had each model learnt the mix of classes of these very photos.

    Args:
        each: float64 [F, N, 18], of the model of each fold.

    Returns:
        The same corrected, and what goes into predict.json: the mix that was learnt and the one estimated
        (means over the models), and how many answers changed.
    """
    learnt = np.array([config.learnt_mix[fold] for fold in config.folds])
    estimated = np.stack([estimated_prior(p, mix) for p, mix in zip(each, learnt, strict=True)])
    after = np.stack([corrected(p, mix, new) for p, mix, new in zip(each, learnt, estimated, strict=True)])
    changed = int((each.mean(axis=0).argmax(axis=1) != after.mean(axis=0).argmax(axis=1)).sum())
    before, now = learnt.mean(axis=0), estimated.mean(axis=0)
    moved = sorted(range(CLASSES), key=lambda c: (-abs(now[c] - before[c]), c))[:SHOWN]
    told = ", ".join(f"{CLASS_NAMES[c]} {before[c]:.1%} → {now[c]:.1%}" for c in moved)
    say(f"predict: estimated mix of these photos (learnt → estimated): {told} …; {changed} answers changed")
    return after, {"learnt_mix": before.tolist(), "estimated_mix": now.tolist(), "changed_answers": changed}


def warn_of(missing: list[str], common: int) -> None:
    """Says which photos are answered without having been looked at."""
    if missing:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        say(
            f"predict: warning: {len(missing)} photos are missing or cannot be read and get the "
            f"most frequent class, {common} ({CLASS_NAMES[common]}): {', '.join(missing[:10])}{more}"
        )


def distribution(
    answers: np.ndarray, learnt: np.ndarray, missing: list[str], prior: dict[str, Any] | None
) -> dict[str, object]:
    """Shares of each class among the photos that were looked at and among those learnt from."""
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
