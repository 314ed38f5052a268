"""Deals stratified folds and keeps them in data/folds.csv, so that nobody moves later.

cleanplate folds            adds the people who are not in split.table yet, each where their gender and
                            age group is thinnest; whoever is in it stays
cleanplate folds --anew     deals everybody again, e.g. for another split.folds
cleanplate folds --dry-run  only shows the folds

It reads the corrected labels of the last run, so `dvc repro relabel` comes first. Commit the table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    anew: Annotated[bool, typer.Option("--anew", help="Deal everybody again: people move.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    import pandas as pd

    from pipeline.dataset.extra import is_extra
    from pipeline.dataset.folds import STRATA, people_per_cell, stratify
    from pipeline.dataset.folds_table import deal_folds, read_folds, write_folds
    from pipeline.params import load_params
    from pipeline.runtime.progress import say
    from stages.shared.artefacts import LABELS

    split = load_params(params).split
    path = Path(split.table)
    old = {} if anew else read_folds(path, split.folds)
    labels = LABELS.read("person", "gender", "age")
    people = stratify(labels[~is_extra(labels["person"]).to_numpy()])
    names, strata = list(people["person"]), people["stratum"].to_numpy()
    fold = deal_folds(names, strata, old, split.folds, split.seed)
    new = [name for name in names if name not in old]
    cells = people_per_cell(strata, fold, split.folds)
    print(pd.DataFrame(cells, STRATA, [f"fold {k}" for k in range(split.folds)]).to_string())
    if not dry_run:
        write_folds(path, old | dict(zip(names, map(int, fold), strict=True)))
    state = "would be added to" if dry_run else "added to"
    say(f"folds: {len(new)} people {state} {path}, {len(names) - len(new)} were there and stay")
