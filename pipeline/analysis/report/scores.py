"""What the report says about predictions: confusion, calibration, errors by age, worst mistakes."""

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
    found = []
    for name, task in TASKS.items():
        member = task.membership().astype(np.int64)
        counts = member.T @ whole @ member
        rows = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
        f1 = [None if np.isnan(v) else float(v) for v in class_f1(counts)]
        found.append(
            {
                "task": name,
                "words": list(task.values),
                "counts": counts.tolist(),
                "shares": shares.tolist(),
                "f1": f1,
            }
        )
    return found


def calibration(predictions: pd.DataFrame, task: Task) -> dict[str, Any]:
    """How sure and how right, in BINS bins of equal width.

    Returns:
        `confidence`, `accuracy`, `photos` of each bin that holds any, and `ece`, the expected calibration
        error: the mean distance of the two, weighted by photos (Guo et al. 2017, arXiv:1706.04599).
    """
    p = probabilities(predictions) @ task.membership().astype(np.float64)
    sure, said = p.max(axis=1), p.argmax(axis=1)
    right = said == task.code_of(predictions["true_class"].to_numpy())
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    photos = np.bincount(bins, minlength=BINS)
    there = photos > 0
    confidence = np.bincount(bins, sure, BINS)[there] / photos[there]
    accuracy = np.bincount(bins, right, BINS)[there] / photos[there]
    ece = float(np.average(np.abs(confidence - accuracy), weights=photos[there]))
    return {
        "confidence": confidence.tolist(),
        "accuracy": accuracy.tolist(),
        "photos": photos[there].tolist(),
        "ece": ece,
    }


def errors_by_age(predictions: pd.DataFrame, ages: pd.Series) -> pd.DataFrame:
    """`age, photos, wrong` (share whose age group is wrong), from young to old.

    Args:
        ages: int, true age in years, indexed by image.
    """
    rows = pd.DataFrame({"age": predictions["image"].map(ages)})
    truth, said = (age_group_of(predictions[c].to_numpy()) for c in ("true_class", "predicted"))
    rows["wrong"] = (truth != said).astype(float)
    table = rows.dropna().groupby("age")["wrong"].agg(photos="size", wrong="mean").reset_index()
    return table.astype({"age": np.int64})


def worst(predictions: pd.DataFrame, most: int) -> list[dict[str, Any]]:
    """The mistakes made with most confidence, one of each person: `image, truth, said, sure, truth_p`."""
    p = probabilities(predictions)
    at = np.arange(len(p))
    truth, said = predictions["true_class"].to_numpy(), predictions["predicted"].to_numpy()
    rows = predictions[["image", "person"]].assign(
        truth=[CLASS_NAMES[c] for c in truth], said=[CLASS_NAMES[c] for c in said],
        sure=p[at, said], truth_p=p[at, truth], wrong=truth != said,
    )  # fmt: skip
    rows = rows[rows["wrong"]].sort_values(["sure", "image"], ascending=[False, True])
    shown = rows.drop_duplicates("person").head(most)[["image", "truth", "said", "sure", "truth_p"]]
    return [{str(k): v for k, v in row.items()} for row in shown.to_dict("records")]


def balance(labels: pd.DataFrame, synthetic: pd.DataFrame) -> list[dict[str, Any]]:
    """Photos of each class by true label, by training target, and synthetic ones."""
    true = np.bincount(labels["true_class"], minlength=CLASSES)
    target = np.bincount(labels.loc[labels["train_class"] >= 0, "train_class"], minlength=CLASSES)
    made = np.bincount(synthetic["train_class"], minlength=CLASSES)
    most = max(int((target + made).max()), int(true.max()), 1)
    return [
        {"name": CLASS_NAMES[c], "true": int(true[c]), "target": int(target[c]), "made": int(made[c]),
         "target_share": target[c] / most, "made_share": made[c] / most}
        for c in range(CLASSES)
    ]  # fmt: skip
