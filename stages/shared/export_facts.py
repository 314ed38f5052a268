"""What a model card says, gathered from what the stages wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from pipeline.analysis.report.tables import summarize_data
from pipeline.dataset.extra import is_extra
from pipeline.evaluate.bootstrap import nested, score_intervals
from pipeline.evaluate.calibration import calibration_error, cross_fitted, fitted_temperature
from pipeline.evaluate.metrics import confusion_by_person
from pipeline.labels import AGE_GROUPS, CLASSES, GENDERS, age_group_of, gender_of
from pipeline.networks.weights import sha256_of
from pipeline.networks.weights_lock import read_lock
from pipeline.params import Params
from pipeline.train.pretrained import PACKAGED
from stages.shared.artefacts import INDEX, LABELS, PREDICTIONS
from stages.shared.report_data import read_csv, read_details, read_json

MTCNN = ("mtcnn-pnet.pt", "mtcnn-rnet.pt", "mtcnn-onet.pt")
NOT_KNOWN = "not known: weights of your own"


def card_facts(params: Params, sections: Mapping[str, BaseModel]) -> dict[str, Any]:
    """Facts for `pipeline.export.card`: data, metrics, groups, reliance, calibration, weights, params.

    Args:
        params: the whole file.
        sections: those that the card shows.

    Raises:
        UserError: a report is missing; names the stage to run.
    """
    predictions = PREDICTIONS.read()
    metrics = read_json(Path("reports/evaluate.json"), "evaluate")
    metrics |= {"photos": len(predictions), "people": int(predictions["person"].nunique())}
    reliance = Path("reports/reliance.json")
    return {
        "data": _data(predictions, params.train.extra_weight > 0),
        "metrics": metrics,
        "groups": groups(predictions, params),
        "reliance": read_details(reliance, "reliance") if reliance.is_file() else None,
        "calibration": calibration(predictions),
        "weights": weights_used(params),
        "params": {name: section.model_dump(mode="json") for name, section in sections.items()},
    }


def _data(predictions: pd.DataFrame, with_extra: bool) -> dict[str, Any]:
    """What was learnt from: with one fold not the people of `predictions`, with several all of them."""
    index = INDEX.read("image", "split", "person", "sha256", "width", "height")
    labels, relabel = LABELS.read("person", "train_class"), read_csv(Path("build/relabel.csv"), "relabel")
    facts = summarize_data(index, read_csv(Path("build/quarantine.csv"), "ingest"))
    facts_only = {"drop", "train_class"}
    held_out = set(predictions["person"]) if len(set(predictions["fold"])) == 1 else set()
    learnt = labels[(labels["train_class"] >= 0) & ~labels["person"].isin(held_out)]
    if not with_extra:
        learnt = learnt[~is_extra(learnt["person"]).to_numpy()]
    return {
        "fingerprint": facts["fingerprint"],
        "photos": facts["usable"],
        "people": int(learnt["person"].nunique()),
        "trained_photos": len(learnt),
        "quarantined": facts["quarantined"],
        "corrected": int((~relabel["field"].isin(facts_only)).sum()),
        "dropped": int((relabel["field"] == "drop").sum()),
        "ruled": int((relabel["field"] == "train_class").sum()),
    }


def groups(predictions: pd.DataFrame, params: Params) -> list[dict[str, Any]]:
    """Scores with intervals for each true gender and age group that occurs in the predictions."""
    truth = predictions["true_class"].to_numpy()
    found: list[dict[str, Any]] = []
    for gender, gender_name in enumerate(GENDERS):
        for age, age_name in enumerate(AGE_GROUPS):
            rows = predictions[(gender_of(truth) == gender) & (age_group_of(truth) == age)]
            if len(rows):
                columns = (rows[c].to_numpy() for c in ("true_class", "predicted", "person"))
                by_person = confusion_by_person(*columns)
                scores = nested(score_intervals(by_person, params.evaluate.bootstrap, params.evaluate.seed))
                whole = {name: scores.pop(name) for name in ("macro_f1", "accuracy")}
                found.append(
                    {
                        "who": f"{gender_name} {age_name}",
                        "gender": gender_name,
                        "age_group": age_name,
                        "photos": len(rows),
                        "people": len(by_person),
                        "scores": {"class": whole, **scores},
                    }
                )
    return found


def calibration(predictions: pd.DataFrame) -> dict[str, Any]:
    """The temperature that validation predictions ask for, and the calibration error before and after."""
    p = predictions[[f"p{c}" for c in range(CLASSES)]].to_numpy(np.float64)
    truth, people = predictions["true_class"].to_numpy(), predictions["person"].to_numpy()
    return {
        "temperature": fitted_temperature(p, truth),
        "error_before": calibration_error(p, truth),
        "error_after": calibration_error(cross_fitted(p, truth, people), truth),
        "photos": len(predictions),
        "fitted_on": "validation predictions, of people that were not learnt from",
    }


def weights_used(params: Params) -> list[dict[str, str]]:
    """`use, name, licence, trained_on` of every weight that the chain holds or began with."""
    detector = {
        "mtcnn": list(MTCNN),
        "retinaface": [params.detect.retinaface.weights],
        "blazeface": [params.detect.blazeface.weights],
        "yolov8": [params.detect.yolov8.weights],
    }.get(params.detect.method, [])
    segmenter = {"unet": [params.segment.unet.weights], "selfie": [params.segment.selfie.weights]}.get(
        params.segment.method, []
    )
    start = params.train.pretrained
    begun = [PACKAGED.get(params.train.model, f"timm {params.train.model}")] if start is True else []
    begun += [start] if isinstance(start, str) else []
    if (params.segment.method, params.segment.unet.weights) == ("unet", "demo"):
        segmenter += [params.fit_segmenter.encoder_weights] if params.fit_segmenter.encoder_weights else []
    rows = [("detector", name) for name in detector] + [("segmenter", name) for name in segmenter]
    rows += [("classifier, to begin with", name) for name in begun]
    return [_weight(use, name, params) for use, name in rows]


def _weight(use: str, name: str, params: Params) -> dict[str, str]:
    entry = read_lock().get(name)
    if entry:
        facts = {"licence": entry.licence, "trained_on": entry.trained_on, "sha256": entry.sha256}
        return {"use": use, "name": name, **facts}
    if use == "segmenter" and name == "demo":
        own = f"the photos and mattes of fit_segmenter, {params.fit_segmenter.encoder}"
        return {
            "use": use,
            "name": "fit_segmenter",
            "licence": "as these photos",
            "trained_on": own,
            "sha256": "",
        }
    path = Path(name)
    digest = sha256_of(path) if path.is_file() else ""
    return {"use": use, "name": path.name, "licence": NOT_KNOWN, "trained_on": NOT_KNOWN, "sha256": digest}
