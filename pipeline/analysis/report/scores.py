"""Numbers on predictions for the report: confusion, calibration, errors by age, worst mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluate.metrics import class_f1, confusion
from pipeline.labels import CLASS_NAMES, CLASSES, TASKS, Task, age_group_of

BINS = 10


def probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """float64 [N, 18] from the columns p0 … p17."""
    return predictions[[f"p{c}" for c in range(CLASSES)]].to_numpy(np.float64)


def confusions(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """Per task: words of its codes, counts [k, k] (rows true), shares of each row, F1 per code (or None)."""
    whole = confusion(predictions["true_class"].to_numpy(), predictions["predicted"].to_numpy())
    result = []
    for name, task in TASKS.items():
        member = task.membership().astype(np.int64)
        counts = member.T @ whole @ member
        rows = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
        f1 = [None if np.isnan(v) else float(v) for v in class_f1(counts)]
        result.append(
            {
                "task": name,
                "words": list(task.values),
                "counts": counts.tolist(),
                "shares": shares.tolist(),
                "f1": f1,
            }
        )
    return result


def calibration(predictions: pd.DataFrame, task: Task) -> dict[str, Any]:
    """Mean confidence and accuracy in BINS bins of equal width.

    Returns:
        `confidence`, `accuracy`, `photos` of each occupied bin, and `ece`, the expected calibration
        error: the mean distance of the two, weighted by photos (Guo et al. 2017, arXiv:1706.04599).
    """
    p = probabilities(predictions) @ task.membership().astype(np.float64)
    top, predicted = p.max(axis=1), p.argmax(axis=1)
    right = predicted == task.code_of(predictions["true_class"].to_numpy())
    bins = np.minimum((top * BINS).astype(int), BINS - 1)
    photos = np.bincount(bins, minlength=BINS)
    occupied = photos > 0
    confidence = np.bincount(bins, top, BINS)[occupied] / photos[occupied]
    accuracy = np.bincount(bins, right, BINS)[occupied] / photos[occupied]
    ece = float(np.average(np.abs(confidence - accuracy), weights=photos[occupied]))
    return {
        "confidence": confidence.tolist(),
        "accuracy": accuracy.tolist(),
        "photos": photos[occupied].tolist(),
        "ece": ece,
    }


def errors_by_age(predictions: pd.DataFrame, ages: pd.Series) -> pd.DataFrame:
    """`age, photos, wrong` (share with a wrong age group), from young to old.

    Args:
        ages: int, true age in years, indexed by image.
    """
    rows = pd.DataFrame({"age": predictions["image"].map(ages)})
    truth, predicted = (age_group_of(predictions[c].to_numpy()) for c in ("true_class", "predicted"))
    rows["wrong"] = (truth != predicted).astype(float)
    table = rows.dropna().groupby("age")["wrong"].agg(photos="size", wrong="mean").reset_index()
    return table.astype({"age": np.int64})


def worst(predictions: pd.DataFrame, max_photos: int) -> list[dict[str, Any]]:
    """The most confident mistakes, one per person: `image, truth, predicted, confidence, truth_p`."""
    p = probabilities(predictions)
    rows_of_p = np.arange(len(p))
    truth, predicted = predictions["true_class"].to_numpy(), predictions["predicted"].to_numpy()
    rows = predictions[["image", "person"]].assign(
        truth=[CLASS_NAMES[c] for c in truth], predicted=[CLASS_NAMES[c] for c in predicted],
        confidence=p[rows_of_p, predicted], truth_p=p[rows_of_p, truth], wrong=truth != predicted,
    )  # fmt: skip
    rows = rows[rows["wrong"]].sort_values(["confidence", "image"], ascending=[False, True])
    columns = ["image", "truth", "predicted", "confidence", "truth_p"]
    shown = rows.drop_duplicates("person").head(max_photos)[columns]
    return [{str(k): v for k, v in row.items()} for row in shown.to_dict("records")]


def balance(labels: pd.DataFrame, synthetic: pd.DataFrame) -> list[dict[str, Any]]:
    """Photos of each class by true label, by training target, and synthetic ones."""
    true = np.bincount(labels["true_class"], minlength=CLASSES)
    target = np.bincount(labels.loc[labels["train_class"] >= 0, "train_class"], minlength=CLASSES)
    copies = np.bincount(synthetic["train_class"], minlength=CLASSES)
    max_photos = max(int((target + copies).max()), int(true.max()), 1)
    return [
        {"name": CLASS_NAMES[c], "true": int(true[c]), "target": int(target[c]), "synthetic": int(copies[c]),
         "target_share": target[c] / max_photos, "synthetic_share": copies[c] / max_photos}
        for c in range(CLASSES)
    ]  # fmt: skip
