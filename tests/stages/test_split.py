"""Split: a person's fold never changes, and nobody is on both sides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.folds import (
    assign_folds,
    best_seed,
    chi_square,
    people_per_cell,
    person_hashes,
    stratify,
)
from pipeline.runtime.errors import UserError
from pipeline.seeds import splitmix64
from stages import split
from tests.fixtures.data_folder import run_split, stage


def labels(people: int, start: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = []
    for k in range(start, start + people):
        person, gender, age = f"{k:06}", ("male", "female")[k % 2], int(rng.integers(18, 61))
        rows += [(f"{person}/{stem}.jpg", person, gender, age) for stem in ("mask1", "normal")]
    return pd.DataFrame(rows, columns=["image", "person", "gender", "age"])


def write(table: pd.DataFrame) -> Path:
    Path("build").mkdir(exist_ok=True)
    table.to_parquet("build/labels.parquet")
    return Path()


def test_everybody_is_in_one_fold(project: Path) -> None:
    folds = run_split(write(labels(300)))
    assert folds["person"].is_unique
    assert len(folds) == 300
    assert set(folds["fold"]) == {0, 1, 2, 3, 4}
    assert folds["person"].is_monotonic_increasing
    report = json.loads(Path("reports/split.json").read_text())
    assert report["people"] == 300
    assert sum(report["people_per_fold"]) == 300
    assert sum(map(sum, report["strata"].values())) == 300
    assert report["validation_people"] == (folds["fold"] == 0).sum()


def test_adding_people_or_correcting_them_moves_nobody(project: Path) -> None:
    few = run_split(write(labels(100, start=50))).set_index("person")["fold"]
    more = labels(300)
    more["gender"] = "male"
    more["age"] = 70
    many = run_split(write(more.sample(frac=1, random_state=1))).set_index("person")["fold"]
    assert many.loc[few.index].tolist() == few.tolist()


def test_the_fold_of_a_person_is_fixed_for_ever() -> None:
    """Values from the first release: a change of the hash would move people in everybody's projects."""
    hashes = person_hashes(
        ["000001_male_Asian_30", "000002_male_Asian_60", "003397_female_Asian_20", "김철수"]
    )
    assert assign_folds(hashes, 5, 0).tolist() == FIRST_RELEASE
    assert splitmix64(np.array([0], np.uint64)).tolist() == [0xE220A8397B1DCDAF]  # the published first value


FIRST_RELEASE = [3, 1, 0, 0]


def test_another_seed_deals_anew(project: Path) -> None:
    write(labels(300))
    assert run_split(Path(), seed=0)["fold"].tolist() != run_split(Path(), seed=1)["fold"].tolist()


def test_suggest_seed_balances(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = labels(300)
    people = stratify(table)
    names, strata = list(people["person"]), people["stratum"].to_numpy()
    seed, cells = best_seed(names, strata, 5, tried=500)
    assert cells.sum() == 300
    hashes = person_hashes(names)
    every = [people_per_cell(strata, assign_folds(hashes, 5, s), 5) for s in range(500)]
    empty = [int((c == 0).sum()) for c in every]
    assert (every[seed] == cells).all()
    assert empty[seed] == min(empty)
    assert chi_square(cells) == min(
        chi_square(c) for c, e in zip(every, empty, strict=True) if e == min(empty)
    )
    write(table)
    split.suggest(stage("split", Path()))
    assert "split.seed: " in capsys.readouterr().out
    assert not Path("build/folds.parquet").exists()


def test_a_stratum_without_validation_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = labels(60)
    table["age"] = 20
    table.loc[table["person"] == "000001", "age"] = 60
    fold = run_split(write(table)).set_index("person")["fold"]["000001"]
    capsys.readouterr()
    run_split(Path(), validation_fold=int((fold + 1) % 5))
    said = capsys.readouterr().err
    assert "is female >=60" in said
    assert "--suggest-seed" in said
    run_split(Path(), validation_fold=int(fold))
    assert "warning" not in capsys.readouterr().err


def test_a_validation_fold_without_people_is_an_error(project: Path) -> None:
    with pytest.raises(UserError, match="validation fold has no people"):
        run_split(write(labels(1)), folds=50, validation_fold=49)


def test_a_person_whose_photos_differ_counts_once(project: Path) -> None:
    table = labels(3)
    table.loc[0, "gender"] = "female"
    assert len(stratify(table)) == 3


def test_missing_labels_name_the_stage(project: Path) -> None:
    with pytest.raises(UserError, match="dvc repro relabel"):
        run_split(Path())
