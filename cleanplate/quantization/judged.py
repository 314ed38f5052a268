"""Adds int8 classifiers to an export, and ships them only where held-out people show that little is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cleanplate.comparison.paired import differences
from cleanplate.predict.runtimes import Runtime, load_network
from cleanplate.quantization.pictures import calibration_photos, pictures_of
from pipeline.evaluate.metrics import confusion_by_person
from pipeline.export.int8 import write_int8
from pipeline.export.networks import ONNX, OPENVINO
from pipeline.labels import CLASSES
from pipeline.params.learning import Evaluate
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say, track
from stages.shared.artefacts import PREDICTIONS
from stages.shared.export_facts import calibration

MOST_LOST = 0.005  # of macro-F1, by the upper end of the interval
LEAST_PEOPLE = 20  # of fewer, nobody may happen to change: an interval of no width, which says nothing
BATCH = 32
RUNTIMES: tuple[Runtime, ...] = ("openvino", "onnxruntime")


def add_int8(folder: Path, chain: dict[str, Any], facts: dict[str, Any], evaluate: Evaluate) -> None:
    """Writes int8 classifiers, judges them, and keeps them or takes them out again.

    Kept, `chain["classify"]["networks"]` names them, and the temperature is fitted on their answers; the
    float32 ones stay beside them. Either way `facts["int8"]` says what was measured, on the runtime that lost
    more.

    Args:
        folder: of an export, with its networks.
        chain, facts: of chain.json and of the card; both are changed.
        evaluate: the params section; resamples and seed of the interval.

    Raises:
        UserError: a picture is missing, or the predictions are of other folds.
    """
    classify = chain["classify"]
    float32, size = list(classify["networks"]), int(classify["size"])
    photos = PREDICTIONS.read("image", "person", "fold", "true_class").sort_values("image", ignore_index=True)
    folds = _folds(float32, photos)
    int8 = [
        write_int8(folder, name, pictures_of(calibration_photos(fold), size))
        for name, fold in zip(float32, folds, strict=True)
    ]
    each = {
        runtime: (
            answers(folder, float32, photos, size, runtime),
            answers(folder, int8, photos, size, runtime),
        )
        for runtime in RUNTIMES
    }
    measured = {runtime: loss(photos, *both, evaluate) for runtime, both in each.items()}
    worst = max(measured.values(), key=lambda one: one["loss"]["high"])
    people = int(photos["person"].nunique())
    fact = {
        "accepted": worst["loss"]["high"] < MOST_LOST and people >= LEAST_PEOPLE,
        "allowed": MOST_LOST,
        "least_people": LEAST_PEOPLE,
        **worst,
        "people": people,
        "photos": len(photos),
        "calibrated_on": min(len(calibration_photos(fold)) for fold in folds),
    }
    facts["int8"] = fact
    if not fact["accepted"]:
        _remove(folder, int8)
    else:
        chain["classify"] = {**classify, "networks": int8, "precision": "int8", "float32": float32}
        facts["calibration"] = calibration(with_answers(photos, each["openvino"][1]))
        chain["calibrate"]["temperature"] = facts["calibration"]["temperature"]
    say(sentence(fact))


def answers(folder: Path, names: list[str], photos: pd.DataFrame, size: int, runtime: Runtime) -> np.ndarray:
    """float64 [N, 18]: probabilities about each photo, by the network that did not learn from its person."""
    p = np.zeros((len(photos), CLASSES))
    for name in names:
        network = load_network(folder, name, runtime)
        (rows,) = np.nonzero(photos["fold"].to_numpy() == fold_of(name))
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        for batch in track(batches, len(batches), f"{name} on {runtime}", "batches"):
            pictures = pictures_of(photos["image"].iloc[batch].tolist(), size)
            p[batch] = network(np.stack(pictures))[0]
    return p


def loss(photos: pd.DataFrame, before: np.ndarray, after: np.ndarray, evaluate: Evaluate) -> dict[str, Any]:
    """What macro-F1 loses from one set of answers to another about the same people, with its paired interval.

    Args:
        photos: `person, true_class` of N photos.
        before, after: float [N, 18].
        evaluate: resamples and seed.

    Returns:
        `loss`: `value, low, high`, above 0 where the later answers are worse; `changed`: answers that differ.
    """
    truth, person = photos["true_class"].to_numpy(), photos["person"].to_numpy()
    old, new = (confusion_by_person(truth, p.argmax(axis=1), person) for p in (before, after))
    gain = differences(old, new, evaluate.bootstrap, evaluate.bootstrap, evaluate.seed)["macro_f1"]
    value = {"value": -gain.value, "low": -gain.high, "high": -gain.low}
    return {
        "loss": {name: number + 0.0 for name, number in value.items()},  # no -0.0
        "changed": int((before.argmax(axis=1) != after.argmax(axis=1)).sum()),
    }


def sentence(fact: dict[str, Any]) -> str:
    """What came of it, for the terminal."""
    lost, people = fact["loss"], fact["people"]
    interval = f"95 % {lost['low']:.4f} to {lost['high']:.4f}"
    measured = f"it loses {lost['value']:.4f} of macro-F1 ({interval}) on {people} people"
    if fact["accepted"]:
        return f"export: int8 answers: {measured}, less than {fact['allowed']}"
    return (
        f"export: int8 is not shipped, float32 answers: {measured}; the upper end must be below "
        f"{fact['allowed']} on {fact['least_people']} people or more, and more people narrow the interval"
    )


def fold_of(name: str) -> int:
    """The fold that the classifier `fold3` or `fold3_int8` did not learn from."""
    return int(name.removeprefix("fold").split("_")[0])


def with_answers(photos: pd.DataFrame, p: np.ndarray) -> pd.DataFrame:
    """`photos` with the columns p0 … p17."""
    return photos.assign(**{f"p{c}": p[:, c] for c in range(CLASSES)})


def _folds(names: list[str], photos: pd.DataFrame) -> list[int]:
    folds, judged = [fold_of(name) for name in names], sorted(set(photos["fold"].tolist()))
    if folds != judged:
        raise UserError(
            "reports/predictions.parquet is not of this model",
            where="its folds",
            got=", ".join(map(str, judged)),
            allowed=", ".join(map(str, folds)),
            fix="run `dvc repro evaluate`",
        )
    return folds


def _remove(folder: Path, names: list[str]) -> None:
    for name in names:
        for path in (f"{ONNX}/{name}.onnx", f"{OPENVINO}/{name}.xml", f"{OPENVINO}/{name}.bin"):
            (folder / path).unlink()
