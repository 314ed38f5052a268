"""From the labels of the data folder to the true labels and the training target.

Corrections are facts and change both. Rules (count 59 as 60) change only the training target, or two variants
would be scored against different truths.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.dataset.corrections import Correction
from pipeline.labels import classes_of
from pipeline.params.preparation import Relabel

LABELS = ["image", "person", "gender", "age", "mask", "true_class", "train_class"]
CHANGES = ["image", "person", "field", "before", "after", "reason", "source"]
NOT_TRAINED = -1


def apply_corrections(
    labels: pd.DataFrame, corrections: Sequence[Correction]
) -> tuple[pd.DataFrame, list[tuple[str, ...]]]:
    """The true labels, and every change as a row of CHANGES.

    Args:
        labels: columns image, person, gender, age, mask, from the data folder; one row per photo.
        corrections: checked against these labels.
    """
    true = labels.set_index("image", drop=False)[["image", "person", "gender", "age", "mask"]].copy()
    columns = {c: dict(zip(true.index, true[c], strict=True)) for c in ("gender", "age", "mask")}
    changes: list[tuple[str, ...]] = []
    dropped: set[str] = set()
    for c in corrections:
        if c.field == "drop":
            dropped.add(c.image)
            changes.append((c.image, c.person, "drop", "used", "dropped", c.reason, c.source))
        elif c.new != c.old:
            columns[c.field][c.image] = c.new
            changes.append((c.image, c.person, c.field, str(c.old), str(c.new), c.reason, c.source))
    for name, values in columns.items():
        true[name] = pd.Series(values, dtype="int64" if name == "age" else "str")
    kept = ~true["image"].isin(dropped)
    return true[kept].reset_index(drop=True), changes


def add_classes(true: pd.DataFrame, rules: Relabel) -> tuple[pd.DataFrame, list[tuple[str, ...]]]:
    """Adds true_class and train_class (-1 = not trained on); also lists the photos where rules change it.

    Args:
        true: the true labels.
        rules: the params section.
    """
    age = true["age"].to_numpy(np.int64)
    counted = age.copy()
    for rule in rules.age_rules:
        counted[age == rule.from_] = rule.to  # from the true age: rules are not chained
    true_class = classes_of(true, age)
    train_class = classes_of(true, counted, rules.old_from)
    train_class[np.isin(age, rules.drop_train_ages)] = NOT_TRAINED
    table = true.assign(true_class=true_class, train_class=train_class)[LABELS]
    named = {rule.from_: f"age_rules: {rule.from_} counts as {rule.to}" for rule in rules.age_rules}
    changes: list[tuple[str, ...]] = []
    for k in np.flatnonzero(true_class != train_class):
        years = int(age[k])
        reason = named.get(years, f"old_from: {rules.old_from}")
        if train_class[k] == NOT_TRAINED:
            reason = f"drop_train_ages: {years}"
        key = str(table["image"].iloc[k]), str(table["person"].iloc[k])
        changes.append((*key, "train_class", str(true_class[k]), str(train_class[k]), reason, "params.yaml"))
    return table, changes


def relabel_photos(
    labels: pd.DataFrame, corrections: Sequence[Correction], rules: Relabel
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """build/labels.parquet and build/relabel.csv, both sorted by image."""
    true, facts = apply_corrections(labels, corrections)
    table, ruled = add_classes(true.sort_values("image", ignore_index=True), rules)
    changes = pd.DataFrame(sorted(facts + ruled), columns=CHANGES).astype("str")
    return table, changes
