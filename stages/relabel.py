"""Applies the corrections to the labels, and derives each photo's true class and training target."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.dataset.corrections import COLUMNS, read_corrections
from pipeline.dataset.relabel import relabel_photos
from pipeline.dataset.relabel_page import render_page
from pipeline.dataset.relabel_summary import summarize_effects
from pipeline.dataset.user_csv import table_bytes
from pipeline.io.atomic import write_text
from pipeline.io.tables import write_csv
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say
from stages.shared.artefacts import INDEX, LABELS
from stages.shared.command import Stage, stage_command

NEEDED = ["image", "split", "person", "gender", "age", "mask"]


def run(stage: Stage) -> None:
    """Reads build/index.parquet and the corrections; writes build/labels.parquet, build/relabel.csv and
    reports/relabel.md, a summary of the changes.
    """
    rules = stage.params.relabel
    index = INDEX.read(*NEEDED)
    train = index[index["split"] == "train"]
    corrections = read_corrections(
        table_bytes(Path(rules.corrections), "the table of corrections", COLUMNS), rules.corrections, train
    )
    people = stage.first(train[["person"]].drop_duplicates().sort_values("person"))["person"]
    labels, changes = relabel_photos(train, corrections, rules)
    train, labels, changes = (
        t[t["person"].isin(people)].reset_index(drop=True) for t in (train, labels, changes)
    )
    if labels.empty:
        raise UserError(
            "every photo to train on was dropped",
            where=rules.corrections,
            fix="remove some of its rows with field drop",
        )
    if (labels["train_class"] < 0).all():
        raise UserError(
            "nobody is left to train on",
            where="relabel.drop_train_ages",
            got=", ".join(map(str, rules.drop_train_ages)),
            fix="drop fewer ages",
        )
    LABELS.write(stage.out(LABELS.path), labels)
    write_csv(stage.out("build/relabel.csv"), changes)
    write_text(stage.out("reports/relabel.md"), render_page(summarize_effects(train, labels, changes)))
    say(f"relabel: {len(labels)} photos of {labels['person'].nunique()} people; {_summary(changes)}")


def _summary(changes: pd.DataFrame) -> str:
    counts = changes["field"].value_counts().sort_index()
    return ", ".join(f"{n} {field} changed" for field, n in counts.items()) or "nothing changed"


if __name__ == "__main__":
    stage_command("relabel", run, __doc__ or "")
