"""Writes reports/report.html: all results of a run in one offline file.

Reads only tables and pictures of the other stages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from pipeline.analysis.report import chart, scores
from pipeline.analysis.report.page import render, thumbnail
from pipeline.io.atomic import write_text
from pipeline.io.image_store import composed_name
from pipeline.labels import MIDDLE_FROM, OLD_FROM, TASKS
from pipeline.params.overrides import flatten as flatten
from pipeline.params.overrides import set_options, yaml_text
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say
from stages.shared.artefacts import COMPOSED, COPIES, LABELS, LIVE, PREDICTIONS
from stages.shared.command import Stage, stage_command
from stages.shared.report_data import (
    data_facts,
    explored_facts,
    photo_sheet,
    picture,
    read_details,
    read_distribution,
    read_json,
)

BUILD, REPORTS = Path("build"), Path("reports")
REPORT = "reports/report.html"
MAX_MISTAKES = 12
SECTIONS = {
    "data": "Data", "labels": "Label changes", "explore": "What it is like", "stages": "Stages",
    "balance": "Balance", "curves": "Curves", "augmentations": "Augmentations",
    "metrics": "Scores", "confusion": "Confusion", "calibration": "Calibration", "ages": "Ages",
    "mistakes": "Mistakes", "background": "Background", "reproduce": "Reproduce",
}  # fmt: skip


def run(stage: Stage) -> None:
    """Runs the stage."""
    labels = LABELS.read("image", "age", "true_class", "train_class")
    copies = COPIES.read("train_class")
    predictions = PREDICTIONS.read()
    facts: dict[str, Any] = (
        data_facts() | explored_facts() | score_facts(predictions, labels) | params_facts(stage)
    )
    facts |= {
        "sections": SECTIONS.items(),
        "balance": scores.balance(labels, copies),
        "curves": curve_charts(LIVE),
        "background": read_details(REPORTS / "reliance.json", "reliance"),
        "stages_png": picture(REPORTS / "sheet.png", "sheet"),
        "augmentations_png": photo_sheet(REPORTS / "augmentations.png", "augmentations"),
        "gradcam_png": picture(REPORTS / "reliance.png", "reliance"),
        "distribution": read_distribution(),
    }
    text = render(facts)
    write_text(stage.out(REPORT), text)
    say(f"report: {stage.out(REPORT)}, {len(text) / 1e6:.1f} MB")


def score_facts(predictions: pd.DataFrame, labels: pd.DataFrame) -> dict[str, Any]:
    """Scores, confusion, calibration, errors by age and the worst mistakes."""
    metrics = read_json(REPORTS / "evaluate.json", "evaluate")
    rows = [("macro-F1, 18 classes", metrics["macro_f1"]), ("accuracy, 18 classes", metrics["accuracy"])]
    rows += [
        (f"{title}, {task}", metrics[task][key])
        for key, title in (("macro_f1", "macro-F1"), ("accuracy", "accuracy"))
        for task in ("mask", "gender", "age")
    ]
    calibrations = []
    for name, task in TASKS.items():
        calibration = scores.calibration(predictions, task)
        drawn = chart.reliability(
            calibration["confidence"], calibration["accuracy"], calibration["photos"], f"Calibration, {name}"
        )
        calibrations.append({"task": name, "ece": calibration["ece"], "chart": drawn})
    ages = scores.errors_by_age(predictions, labels.set_index("image")["age"])
    bounds = (MIDDLE_FROM, OLD_FROM)
    mistakes = scores.worst(predictions, MAX_MISTAKES)
    pictures = COMPOSED.open()
    for row in mistakes:
        row["picture"] = thumbnail(pictures.photo(composed_name(row["image"])))
    return {
        "metrics": metrics,
        "scores": rows,
        "confusions": scores.confusions(predictions),
        "calibrations": calibrations,
        "ages_chart": chart.bars(
            ages["age"].tolist(), ages["wrong"].tolist(), ages["photos"].tolist(), bounds
        ),
        "mistakes": mistakes,
    }


def curve_charts(live: Path) -> list[dict[str, Any]]:
    """Charts of loss and validation F1 for each trained fold, from `train`'s tables."""
    folds: dict[str, dict[str, Path]] = {}
    metrics = live / "plots" / "metrics"
    for file in sorted(metrics.rglob("*.tsv")):
        *fold, side, name = file.relative_to(metrics).with_suffix("").parts  # e.g. fold0/valid/loss
        folds.setdefault("".join(f", {part.replace('fold', 'fold ')}" for part in fold), {})[
            f"{side}/{name}"
        ] = file
    charts: list[dict[str, Any]] = []
    for fold, curves in folds.items():
        scored = [name for name in curves if name.endswith("macro_f1")]
        for title, names, edges in (
            ("Loss", ["train/loss", "valid/loss"], None),
            ("Validation macro-F1", scored, (0.0, 1.0)),
        ):
            lines = [read_curve(name, curves[name]) for name in names if name in curves]
            if lines:
                charts.append({"title": title + fold, "chart": chart.lines(lines, title, "epoch", edges)})
    if not charts:
        raise UserError("there are no training curves", where=live, fix="run `dvc repro train`")
    return charts


def read_curve(name: str, file: Path) -> chart.Line:
    """A curve from a table `step, value`; epochs count from 1."""
    rows = pd.read_csv(file, sep="\t")
    label = name.removeprefix("valid/").replace("_", " ") if "macro_f1" in name else name.replace("/", " ")
    return chart.Line(label, (rows["step"] + 1).tolist(), rows.iloc[:, 1].tolist())


def params_facts(stage: Stage) -> dict[str, Any]:
    """All params that affect outputs, as YAML and as a command line."""
    params = stage.params
    sections: dict[str, BaseModel] = {
        "data": params.data, "ingest": params.ingest, "relabel": params.relabel, "split": params.split,
        "detect": params.detect, "faces": params.faces, "fit_segmenter": params.fit_segmenter,
        "segment": params.segment, "compose": params.compose, "synthesize": params.synthesize,
        "train": params.train, "evaluate": params.evaluate, "predict": params.predict,
        "reliance": params.reliance, "audit": params.audit, "explore": params.explore,
    }  # fmt: skip
    values = {name: section.model_dump(mode="json", by_alias=True) for name, section in sections.items()}
    options = set_options(values, flatten(values))
    command = "dvc exp run report" + "".join(f" \\\n  -S {shell(option)}" for option in options)
    text = yaml_text(values)
    return {"params": params, "params_yaml": text, "command": command}


def shell(text: str) -> str:
    """`text` as one word of a POSIX shell."""
    import shlex

    return shlex.quote(text)


if __name__ == "__main__":
    stage_command("report", run, __doc__ or "")
