"""Reads and aligns submissions, `ImageID,ans`, and probabilities, `ImageID,p0 … p17`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cleanplate.experiments.revisions import SUBMISSION
from pipeline.dataset.user_csv import read_rows
from pipeline.labels import CLASSES
from pipeline.params.loading import parse_yaml
from pipeline.runtime.errors import Problems, UserError

PROBABILITIES = tuple(f"p{c}" for c in range(CLASSES))
TOLERANCE = 1e-3  # of a sum of probabilities, after rounding


def read_submission(data: bytes, where: str) -> pd.DataFrame:
    """`ImageID` (str), `ans` (int64, 0-17), in the order of the file.

    Raises:
        Problems: not such a table; lists invalid answers and duplicate ImageIDs with their lines.
    """
    rows = read_rows(data, where, ["ImageID", "ans"])
    wrong: list[str] = []
    first_line: dict[str, int] = {}
    for row in rows:
        if row["ImageID"] in first_line:
            wrong.append(
                f"line {row.line}: {row['ImageID']} was answered in line {first_line[row['ImageID']]}"
            )
        first_line.setdefault(row["ImageID"], row.line)
        if not (row["ans"].isascii() and row["ans"].isdigit() and int(row["ans"]) < CLASSES):
            wrong.append(f"line {row.line}: ans is {row['ans']!r}; allowed: 0 to {CLASSES - 1}")
    if wrong or not rows:
        raise Problems(f"{where} is not a submission", wrong or ["it has no rows"], fix="correct the table")
    return pd.DataFrame(
        {"ImageID": [r["ImageID"] for r in rows], "ans": np.array([int(r["ans"]) for r in rows], np.int64)}
    )


def read_true_answers(path: Path) -> pd.DataFrame:
    """The true answers to photos that a model predicted: `image`, `person` (str), `true_class` (int64, 0-17).

    The table is `ImageID,ans,person`; all photos of a person are resampled together.

    Raises:
        UserError: it cannot be read.
        Problems: not such a table; lists invalid answers, duplicate ImageIDs and rows without a person.
    """
    where = str(path)
    try:
        data = path.read_bytes()
    except OSError as e:
        fix = "set --answers to a table ImageID,ans,person"
        raise UserError("the true answers cannot be read", where=path, got=e.strerror, fix=fix) from e
    answers = read_submission(data, where)
    rows = read_rows(data, where, ["ImageID", "ans", "person"])
    nobody = [f"line {row.line}: no person" for row in rows if not row["person"]]
    if nobody:
        raise Problems(f"{where} does not say who is who", nobody, fix="fill the column `person`")
    names = {"ImageID": "image", "ans": "true_class"}
    return answers.rename(columns=names).assign(person=[row["person"] for row in rows])


def read_probabilities(data: bytes, where: str) -> pd.DataFrame:
    """`ImageID` (str), `p0 … p17` (float64) and `ans` (int64, the likeliest), in the order of the file.

    Raises:
        Problems: not such a table; lists invalid probabilities and duplicate ImageIDs with their lines.
    """
    rows = read_rows(data, where, ["ImageID", *PROBABILITIES])
    wrong: list[str] = []
    first_line: dict[str, int] = {}
    table = np.zeros((len(rows), CLASSES))
    for number, row in enumerate(rows):
        if row["ImageID"] in first_line:
            wrong.append(
                f"line {row.line}: {row['ImageID']} was answered in line {first_line[row['ImageID']]}"
            )
        first_line.setdefault(row["ImageID"], row.line)
        try:
            table[number] = [float(row[column]) for column in PROBABILITIES]
        except ValueError as e:
            wrong.append(f"line {row.line}: {e}")
            continue
        if not (table[number] >= 0).all() or abs(table[number].sum() - 1) > TOLERANCE:
            wrong.append(f"line {row.line}: p0 to p17 are not probabilities: each ≥ 0, their sum 1")
    if wrong or not rows:
        raise Problems(
            f"{where} has invalid probabilities", wrong or ["it has no rows"], fix="correct the table"
        )
    answers = pd.DataFrame(table, columns=list(PROBABILITIES))
    answers.insert(0, "ImageID", [row["ImageID"] for row in rows])
    return answers.assign(ans=table.argmax(axis=1).astype(np.int64))


def align_rows(tables: Mapping[str, pd.DataFrame], key: str) -> dict[str, pd.DataFrame]:
    """The tables with their rows in the order of the first.

    Raises:
        Problems: they have different photos; lists the missing ones.
    """
    first_name, first = next(iter(tables.items()))
    wanted = pd.Index(first[key])
    wrong: list[str] = []
    for name, table in tables.items():
        names = pd.Index(table[key])
        wrong += [f"{name} lacks {photo}" for photo in wanted.difference(names)]
        wrong += [f"{first_name} lacks {photo}, which {name} has" for photo in names.difference(wanted)]
    if wrong:
        raise Problems(
            "these files have different photos", wrong, max_shown=20, fix="use answers to one set of photos"
        )
    return {name: t.set_index(key).loc[wanted].reset_index() for name, t in tables.items()}


def require_answers(answers: Path, stages: Sequence[str]) -> None:
    """Refuses before hours of experiments what would end the comparison of their submissions after them.

    Args:
        answers: the table of the true answers.
        stages: the last stages that the experiments run; empty: all.

    Raises:
        Problems: not such a table.
        UserError: there is none, or no submission would be made.
    """
    read_true_answers(answers)
    every = parse_yaml(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    makers = [name for name, stage in every.items() if SUBMISSION in map(_path_of, stage.get("outs", []))]
    if stages and makers and makers[0] not in stages:
        raise UserError(
            "--answers compares submissions, which these experiments do not make",
            where="stages in the sweep file",
            got=", ".join(stages),
            fix=f"add {makers[0]} to them",
        )


def _path_of(output: str | dict[str, Any]) -> str:
    """Of an output in dvc.yaml, with or without options."""
    return output if isinstance(output, str) else next(iter(output))
