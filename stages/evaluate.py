"""Scores the trained model on people it was not trained on.

Reads build/model, build/images, build/labels.parquet and build/folds.parquet; writes reports/metrics.json,
reports/predictions.parquet and reports/confusion. For every photo, uses the model that was not trained on its
person, and scores against the true class, not the training target. Ignores synthetic pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluate import bootstrap, metrics
from pipeline.evaluate.decision import decide
from pipeline.io.atomic import atomic_folder, write_json
from pipeline.io.tables import write_csv
from pipeline.labels import CLASSES, TASKS
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say
from stages.shared.artefacts import FOLDS, LABELS, PREDICTIONS
from stages.shared.command import Stage, stage_command
from stages.shared.model import predict_groups, read_config

METRICS, REPORT = "reports/metrics.json", "reports/evaluate.json"
CONFUSION = "reports/confusion"


def run(stage: Stage) -> None:
    """Predicts, scores and publishes."""
    say("evaluate: loading the model")
    predictions = predict_unseen(stage)
    truth, predicted = predictions["true_class"].to_numpy(), predictions["predicted"].to_numpy()
    by_person = metrics.confusion_by_person(truth, predicted, predictions["person"].to_numpy())
    evaluate = stage.params.evaluate
    scores = bootstrap.score_intervals(by_person, evaluate.bootstrap, evaluate.seed)
    counts = {"people": len(by_person), "photos": len(predictions)}
    PREDICTIONS.write(stage.out(PREDICTIONS.path), predictions)
    write_confusions(stage.out(CONFUSION), truth, predicted)
    write_json(stage.out(REPORT), bootstrap.nested(scores) | counts)
    write_json(stage.out(METRICS), bootstrap.nested(headline(scores)) | counts)
    for name in ("macro_f1", "mask.macro_f1", "gender.macro_f1", "age.macro_f1"):
        score = scores[name]
        say(f"evaluate: {name} {score['value']:.3f} (95 % {score['low']:.3f} to {score['high']:.3f})")
    say(f"evaluate: {len(by_person)} people, {len(predictions)} photos, none used in training")


def headline(scores: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The scores that `dvc metrics` compares: macro-F1 with its interval, accuracy, macro-F1 of each task.

    Nine numbers with `people` and `photos`: `dvc metrics diff` fits a screen. reports/evaluate.json has all.
    """
    values = {
        name: scores[name]["value"]
        for name in ("accuracy", *(f"{t}.macro_f1" for t in TASKS if t != "class"))
    }
    return {"macro_f1": scores["macro_f1"], **{name: {"value": value} for name, value in values.items()}}


def predict_unseen(stage: Stage) -> pd.DataFrame:
    """One row per validation photo, by image: `image, person, fold, true_class, predicted, p0 … p17`."""
    labels = LABELS.read("image", "person", "true_class")
    folds = FOLDS.read("person", "fold")
    photos = labels.merge(folds, on="person", validate="many_to_one").sort_values("image")
    config = read_config()
    groups: list[tuple[int, pd.DataFrame]] = []
    for fold in config.folds:
        own = photos.loc[photos["fold"] == fold, ["image", "person", "fold", "true_class"]]
        groups.append((fold, own[own["person"].isin(list(own["person"].drop_duplicates())[: stage.limit])]))
    asked = [(fold, list(own["image"])) for fold, own in groups]
    parts = []
    probabilities = predict_groups(config, asked, stage, stage.params.evaluate)
    for (_, own), p in zip(groups, probabilities, strict=True):
        answers = pd.DataFrame({f"p{c}": p[:, c] for c in range(CLASSES)}, index=own.index)
        parts.append(
            pd.concat([own.assign(predicted=decide(p, stage.params.evaluate.decision)), answers], axis=1)
        )
    predictions = pd.concat(parts).sort_values("image", ignore_index=True)
    if predictions.empty:
        raise UserError(
            "the held-out folds contain nobody",
            where=FOLDS.path,
            got=f"folds {config.folds}",
            fix="run `dvc repro evaluate`",
        )
    return predictions.astype({"fold": np.int64, "true_class": np.int64})


def write_confusions(folder: Path, truth: np.ndarray, predicted: np.ndarray) -> None:
    """One table `actual,predicted` per task, a row per photo, for DVC's confusion plots; words, not codes."""
    with atomic_folder(folder) as part:
        for name, task in TASKS.items():
            words = np.array(task.values)
            rows = {"actual": words[task.code_of(truth)], "predicted": words[task.code_of(predicted)]}
            write_csv(part / f"{name}.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    stage_command("evaluate", run, __doc__ or "")
