"""Predict the class of the photos without labels.

Reads build/model, build/images and build/eval.parquet; writes reports/submission.csv (`ImageID,ans`, in the
order of eval/info.csv) and reports/predict.json: how often each class is predicted, beside how often it was
learnt. With `train.folds: all` the models of all folds are averaged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.labels import CLASS_NAMES, CLASSES
from pipeline.progress import say
from pipeline.publish import write_json
from pipeline.tables import read_table, write_csv
from stages.command import Stage, stage_command
from stages.model import asked, read_config

EVAL = Path("build/eval.parquet")
SUBMISSION, DISTRIBUTION = "reports/submission.csv", "reports/predict.json"


def run(stage: Stage) -> None:
    """Predicts and publishes."""
    rows = stage.first(read_table(EVAL, "ingest", ["ImageID", "image", "position"]).sort_values("position"))
    config = read_config()
    there = (rows["image"] != "").to_numpy()
    common = int(np.argmax(config.class_counts))
    answers = np.full(len(rows), common, np.int64)
    if rows.empty:
        say("predict: the data folder holds no photos to predict (eval/), so the submission is empty")
    elif there.any():
        images = list(rows.loc[there, "image"])
        answers[there] = asked(config, config.folds, images, stage, stage.params.predict).argmax(axis=1)
    missing = list(rows.loc[~there, "ImageID"])
    if missing:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        say(
            f"predict: warning: {len(missing)} photos are missing or cannot be read and get the "
            f"most frequent class, {common} ({CLASS_NAMES[common]}): {', '.join(missing[:10])}{more}"
        )
    write_csv(stage.out(SUBMISSION), pd.DataFrame({"ImageID": rows["ImageID"].to_numpy(), "ans": answers}))
    write_json(stage.out(DISTRIBUTION), distribution(answers, there, config.class_counts, missing))
    say(f"predict: {len(rows)} photos, {int(there.sum())} of them looked at")


def distribution(
    answers: np.ndarray, there: np.ndarray, class_counts: list[int], missing: list[str]
) -> dict[str, object]:
    """Shares of each class among the photos that were looked at and among those learnt from."""
    predicted = np.bincount(answers[there], minlength=CLASSES)
    learnt = np.asarray(class_counts)
    return {
        "photos": int(there.sum()),
        "missing": missing,
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
