"""The table of folds: stratified, and nobody moves."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cleanplate.cli import app
from pipeline.dataset.folds import people_per_cell, stratify
from pipeline.dataset.folds_table import deal_folds, read_folds, write_folds
from pipeline.runtime.errors import Problems, UserError
from tests.fixtures.data_folder import run_split

FOLDS = 5
SEED = 448  # of params.yaml, which the command reads


def deal(people: pd.DataFrame, table: dict[str, int], seed: int = 0) -> np.ndarray:
    return deal_folds(list(people["person"]), people["stratum"].to_numpy(), table, FOLDS, seed)


def spread(people: pd.DataFrame, fold: np.ndarray) -> int:
    """By how many people the fullest and the emptiest fold of a stratum differ, at most."""
    cells = people_per_cell(people["stratum"].to_numpy(), fold, FOLDS)
    return int((cells.max(axis=1) - cells.min(axis=1)).max())


@pytest.fixture(scope="module")
def real_people(test_data: Path) -> pd.DataFrame:
    """The 2,700 people of the competition, `person` and `stratum`."""
    table = pd.read_csv(test_data / "competition_photos.csv")
    column = next(c for c in table.columns if table[c].astype(str).str.contains("_female_").any())
    persons = table[column].astype(str).str.extract(r"(\w{6}_(?:female|male)_\w+?_\d+)")[0].dropna().unique()
    parts = [re.split("_", p) for p in persons]
    labels = pd.DataFrame(
        {"person": persons, "gender": [p[1] for p in parts], "age": [int(p[-1]) for p in parts]}
    )
    return stratify(labels)


def test_folds_of_the_real_people_differ_by_one_a_stratum(real_people: pd.DataFrame) -> None:
    assert len(real_people) > 2600
    fold = deal(real_people, {})
    assert spread(real_people, fold) == 1
    assert np.ptp(np.bincount(fold)) <= 3, "whole folds are as balanced"


def test_new_people_move_nobody_and_keep_the_balance(real_people: pd.DataFrame) -> None:
    new = np.random.default_rng(3).random(len(real_people)) < 0.1
    old = real_people[~new].reset_index(drop=True)
    table = dict(zip(old["person"], map(int, deal(old, {})), strict=True))
    fold = deal(real_people, table)
    assert all(f == table[p] for p, f in zip(real_people["person"], fold, strict=True) if p in table)
    assert spread(real_people, fold) == 1


def test_a_corrected_label_moves_nobody(real_people: pd.DataFrame) -> None:
    fold = deal(real_people, {})
    table = dict(zip(real_people["person"], map(int, fold), strict=True))
    corrected = real_people.assign(stratum=real_people["stratum"].to_numpy()[::-1])
    assert (deal(corrected, table) == fold).all()


def test_another_seed_deals_anew_and_the_order_of_the_people_does_not_matter(
    real_people: pd.DataFrame,
) -> None:
    fold = deal(real_people, {})
    assert (deal(real_people, {}, seed=1) != fold).any()
    shuffled = real_people.sample(frac=1, random_state=4)
    again = pd.Series(deal(shuffled, {}), index=shuffled.index).sort_index()
    assert again.tolist() == fold.tolist()


def write_labels(people: int) -> None:
    rows = [(f"{k:04}", ("male", "female")[k % 2], (25, 45, 65)[k % 3]) for k in range(people)]
    table = pd.DataFrame(rows, columns=["person", "gender", "age"])
    Path("build").mkdir(exist_ok=True)
    table.assign(image=table["person"] + "/normal.jpg").to_parquet("build/labels.parquet")


def test_the_command_writes_the_table_and_split_follows_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels(40)
    by_hash = run_split(Path(), seed=SEED)
    assert CliRunner().invoke(app, ["folds"]).exit_code == 0
    first = run_split(Path(), seed=SEED).set_index("person")["fold"]
    assert first.tolist() != by_hash["fold"].tolist()
    assert np.ptp(np.bincount(first)) <= 1

    write_labels(60)
    capsys.readouterr()
    more = run_split(Path(), seed=SEED).set_index("person")["fold"]
    said = capsys.readouterr().err
    assert "20 people are not in data/folds.csv" in said
    assert "cleanplate folds" in said
    assert more[first.index].tolist() == first.tolist()
    assert CliRunner().invoke(app, ["folds"]).exit_code == 0
    assert run_split(Path(), seed=SEED).set_index("person")["fold"].tolist() == more.tolist(), (
        "they stay there"
    )
    assert "not in data/folds.csv" not in capsys.readouterr().err

    lines = Path("data/folds.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "person,fold"
    assert len(lines) == 61
    assert CliRunner().invoke(app, ["folds", "--anew", "--dry-run"]).exit_code == 0
    assert Path("data/folds.csv").read_text(encoding="utf-8").splitlines() == lines


def test_a_table_that_does_not_fit_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    path.write_text(
        f"person,fold\nanna,0\nbert,5\nanna,1\n,2\ncarl,one\ndora,{'9' * 5000}\n", encoding="utf-8"
    )
    with pytest.raises(Problems) as e:
        read_folds(path, FOLDS)
    said = str(e.value)
    for part in (
        "line 3",
        "'5'",
        "0 to 4",
        "line 4",
        "anna",
        "line 5",
        "line 6",
        "line 7",
        "cleanplate folds --anew",
    ):
        assert part in said, said
    assert "line 2" not in said


def test_a_table_survives_a_round_trip(tmp_path: Path) -> None:
    table = {"김철수": 1, "a,b": 0, "anna": 4}
    write_folds(tmp_path / "folds.csv", table)
    assert read_folds(tmp_path / "folds.csv", FOLDS) == table
    assert read_folds(tmp_path / "nothing.csv", FOLDS) == {}
    with pytest.raises(UserError, match="the table of folds cannot be read"):
        read_folds(tmp_path, FOLDS)
