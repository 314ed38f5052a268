"""data/folds.csv: stratified folds that stay, in a small table that git tracks.

    person,fold

Dealing people to folds within gender and age group balances the folds, but whoever is dealt again moves when
a person is added or a label corrected. So the deal is written down: people in the table keep their fold, and
new ones go where their stratum is thinnest. With an empty table a person's fold is a hash of the person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.dataset.folds import STRATA, mix_seed, person_hashes
from pipeline.dataset.user_csv import read_rows, table_bytes
from pipeline.io.spelling import nfc
from pipeline.io.tables import write_csv
from pipeline.runtime.errors import Problems

COLUMNS = ("person", "fold")


def read_folds(path: Path, folds: int) -> dict[str, int]:
    """Person → fold; a file that is missing or empty has none.

    Args:
        path: of the table.
        folds: `split.folds`; a fold is 0 to folds - 1.

    Raises:
        UserError: the file cannot be read.
        Problems: a fold is no such number, or a person stands twice; lists every such line.
    """
    data = table_bytes(path, "the table of folds", COLUMNS) if path.exists() else b""
    allowed = {str(fold) for fold in range(folds)}
    found: dict[str, int] = {}
    wrong: list[str] = []
    for row in read_rows(data, str(path), COLUMNS) if data.strip() else []:
        person, fold = nfc(row["person"]), row["fold"]
        if not person:
            wrong.append(f"line {row.line}: no person")
        elif person in found:
            wrong.append(f"line {row.line}: {person} stands there twice")
        elif fold not in allowed:
            wrong.append(f"line {row.line}: fold {fold!r} of {person}; allowed: 0 to {folds - 1}")
        else:
            found[person] = int(fold)
    if wrong:
        fix = "`cleanplate folds --anew` deals everybody again, for another split.folds; or correct the table"
        raise Problems(f"{path} does not fit split.folds {folds}", wrong, fix=fix)
    return found


def write_folds(path: Path, table: Mapping[str, int]) -> None:
    """Writes the table, sorted by person, so that a new person is one new line in a diff."""
    write_csv(path, pd.DataFrame(sorted(table.items()), columns=list(COLUMNS)))


def deal_folds(
    people: Sequence[str], strata: np.ndarray, table: Mapping[str, int], folds: int, seed: int
) -> np.ndarray:
    """int64 [N]: the folds of `people`, in a table or new.

    New people are dealt in the order of their hashes, each to the fold with the fewest people of the same
    stratum, then with the fewest people, then with the lowest number. So folds differ by one person a stratum
    at most, unless those in the table differ by more.

    Args:
        people: keys of different people.
        strata: int [N], the stratum of each, 0 to 5 as in `pipeline.dataset.folds.STRATA`.
        table: the folds of people who have one; those who are not among `people` do not count.
        folds: number of folds.
        seed: another seed deals in another order.
    """
    fold = np.array([table.get(person, -1) for person in people], dtype=np.int64)
    cells = np.zeros((len(STRATA), folds), dtype=np.int64)
    known = fold >= 0
    np.add.at(cells, (np.asarray(strata)[known], fold[known]), 1)
    order = np.argsort(mix_seed(person_hashes(people), seed), kind="stable")
    for i in order[~known[order]]:
        row = cells[strata[i]]
        fold[i] = min(range(folds), key=lambda k: (row[k], cells[:, k].sum(), k))
        row[fold[i]] += 1
    return fold
