"""Assigns people to folds, so that nobody is on both sides; a person's fold never changes.

A person in split.table has the fold that stands there; without people in it, a fold is a hash of the person.
Extra people have fold -1: they are learnt from whichever fold validates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.dataset.extra import NO_FOLD, is_extra
from pipeline.dataset.folds import (
    STRATA,
    assign_folds,
    best_seed,
    chi_square,
    people_per_cell,
    person_hashes,
    stratify,
)
from pipeline.dataset.folds_table import deal_folds, read_folds
from pipeline.io.atomic import write_json
from pipeline.params.preparation import Split
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say
from stages.shared.artefacts import FOLDS, LABELS
from stages.shared.command import AlternativeAction, Stage, stage_command

SUGGEST = "`cleanplate folds` deals balanced ones, `python -m stages.split --suggest-seed` finds a seed"


def run(stage: Stage) -> None:
    """Reads build/labels.parquet; writes build/folds.parquet and reports/split.json."""
    split = stage.params.split
    people, extra = stage.first(_people()), stage.first(_extra_people())
    fold = fold_of(people, split)
    cells = people_per_cell(people["stratum"].to_numpy(), fold, split.folds)
    if stage.limit is None:
        refuse_empty(cells.sum(axis=0), split)
    _warn(cells, split)
    _note_new_people(list(people["person"]), split)
    dealt = [people[["person"]].assign(fold=fold), extra.assign(fold=np.int64(NO_FOLD))]
    FOLDS.write(stage.out(FOLDS.path), pd.concat(dealt).sort_values("person", ignore_index=True))
    write_json(stage.out("reports/split.json"), _report(cells, split) | {"extra_people": len(extra)})
    besides = f", and {len(extra)} extra people to learn from in each" if len(extra) else ""
    sizes = ", ".join(map(str, cells.sum(axis=0)))
    say(f"split: {len(people)} people in {split.folds} folds of {sizes}{besides}")


def fold_of(people: pd.DataFrame, split: Split) -> np.ndarray:
    """int64 [N]: the fold of each row of `people`, which has the columns `person` and `stratum`.

    Raises:
        Problems: split.table does not fit split.folds.
    """
    names = list(people["person"])
    table = _table(split)
    if not table:
        return assign_folds(person_hashes(names), split.folds, split.seed)
    return deal_folds(names, people["stratum"].to_numpy(), table, split.folds, split.seed)


def _table(split: Split) -> dict[str, int]:
    return read_folds(Path(split.table), split.folds)


def _note_new_people(people: Sequence[str], split: Split) -> None:
    """Says who is not in the table: without them in it, adding others may move them."""
    table = _table(split)
    new = [person for person in people if person not in table]
    if table and new:
        say(
            f"split: note: {len(new)} people are not in {split.table}, e.g. {new[0]}; they are where their "
            "gender and age group is thinnest, and stay there after `cleanplate folds`"
        )


def suggest(stage: Stage) -> None:
    """Prints the best balanced seed; writes nothing."""
    people, split = _people(), stage.params.split
    strata = people["stratum"].to_numpy()
    seed, cells = best_seed(list(people["person"]), strata, split.folds)
    now = people_per_cell(
        strata, assign_folds(person_hashes(list(people["person"])), split.folds, split.seed), split.folds
    )
    print(pd.DataFrame(cells, STRATA, [f"fold {k}" for k in range(split.folds)]).to_string())
    print(
        f"split.seed: {seed}    # chi-square {chi_square(cells):.2f}; {split.seed} has {chi_square(now):.2f}"
    )
    print("Write it into params.yaml before the first experiment, then keep it: another seed moves people.")


def _people() -> pd.DataFrame:
    labels = LABELS.read("person", "gender", "age")
    return stratify(labels[~is_extra(labels["person"]).to_numpy()])


def _extra_people() -> pd.DataFrame:
    people = LABELS.read("person").drop_duplicates().sort_values("person")
    return people[is_extra(people["person"]).to_numpy()]


def refuse_empty(sizes: np.ndarray, split: Split) -> None:
    """Stops if one side of the split has no people.

    Args:
        sizes: int [folds], people per fold.
        split: the params section.

    Raises:
        UserError: nobody to train on, or to validate on.
    """
    chosen = int(sizes[split.validation_fold])
    if chosen == 0 or chosen == sizes.sum():
        side = "nobody is left to train on" if chosen else "the validation fold has no people"
        raise UserError(
            f"{side}",
            where=f"split.validation_fold {split.validation_fold}",
            got=f"{sizes.sum()} people in folds of {', '.join(map(str, sizes))}",
            fix=f"lower split.folds, add people, or change split.seed: {SUGGEST}",
        )


def _warn(cells: np.ndarray, split: Split) -> None:
    """Warns about strata that are missing from the validation fold."""
    absent = [
        name for name, row in zip(STRATA, cells, strict=True) if row.sum() and not row[split.validation_fold]
    ]
    if absent:
        message = f"nobody in validation fold {split.validation_fold} is {', '.join(absent)}"
        say(f"split: warning: {message}; {SUGGEST}")


def _report(cells: np.ndarray, split: Split) -> dict[str, object]:
    return {
        "people": int(cells.sum()),
        "validation_people": int(cells[:, split.validation_fold].sum()),
        "people_per_fold": [int(n) for n in cells.sum(axis=0)],
        "strata": {name: [int(n) for n in row] for name, row in zip(STRATA, cells, strict=True)},
        "chi_square": round(chi_square(cells), 6),
        "degrees_of_freedom": int((cells.sum(axis=1) > 0).sum()) * (split.folds - 1),
    }


if __name__ == "__main__":
    stage_command(
        "split",
        run,
        __doc__ or "",
        AlternativeAction("--suggest-seed", "Print the best balanced split.seed.", suggest),
    )
