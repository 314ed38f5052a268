"""Relabel: facts change the truth, rules change the training target only, and every change is on record."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from pipeline.runtime.errors import UserError
from tests.fixtures.data_folder import ANNA, BERT, add_eval, add_person, run_ingest, run_relabel

HEAD = "person,image,field,old,new,reason,source\n"


@pytest.fixture
def root(project: Path) -> Path:
    place = project / "photos"
    for name in (ANNA, BERT, "000003_male_Asian_60", "000004_female_Asian_18"):
        add_person(place, name)
    add_eval(place, ["a.jpg"])
    run_ingest(place)
    return place


def correct(*rows: str) -> None:
    Path("data/corrections.csv").write_text(HEAD + "".join(f"{r}\n" for r in rows))


def changes() -> list[list[str]]:
    table = pd.read_csv("build/relabel.csv", dtype=str, keep_default_na=False)
    return table[["image", "field", "before", "after", "reason"]].to_numpy().tolist()


def classes(table: pd.DataFrame, person: str, column: str = "true_class") -> dict[str, int]:
    mine = table[table["person"] == person]
    return {Path(i).stem: c for i, c in zip(mine["image"], mine[column], strict=True)}


def test_without_corrections_labels_are_the_folders(root: Path) -> None:
    table = run_relabel(root)
    assert list(table) == ["image", "person", "gender", "age", "mask", "true_class", "train_class"]
    assert len(table) == 28  # no eval photo
    assert classes(table, ANNA)["mask1"] == 0 + 3 + 1
    assert classes(table, ANNA)["incorrect_mask"] == 6 + 3 + 1
    assert classes(table, BERT)["normal"] == 12 + 0 + 1
    assert (table["true_class"] == table["train_class"]).all()
    assert changes() == []


def test_a_fact_changes_truth_and_target_and_is_on_record(root: Path) -> None:
    correct(f"{BERT},,gender,male,female,seen,team 1", f"{ANNA},normal,mask,none,worn,,")
    table = run_relabel(root)
    assert set(classes(table, BERT).values()) == {4, 10, 16}
    assert classes(table, ANNA)["normal"] == 4
    assert (table["true_class"] == table["train_class"]).all()
    assert len(changes()) == 8
    assert changes()[0] == [f"train/images/{ANNA}/normal.jpg", "mask", "none", "worn", ""]
    assert changes()[1][1:] == ["gender", "male", "female", "seen"]


def test_swapped_files_change_places(root: Path) -> None:
    before = classes(run_relabel(root), ANNA)
    correct(f"{ANNA},incorrect_mask,mask,incorrect,none,,", f"{ANNA},normal,mask,none,incorrect,,")
    after = classes(run_relabel(root), ANNA)
    assert (after["normal"], after["incorrect_mask"]) == (before["incorrect_mask"], before["normal"])


def test_twice_is_once(root: Path) -> None:
    correct(f"{BERT},,gender,male,female,,")
    run_relabel(root)
    first = [Path(f"build/{n}").read_bytes() for n in ("labels.parquet", "relabel.csv")]
    run_relabel(root)
    assert [Path(f"build/{n}").read_bytes() for n in ("labels.parquet", "relabel.csv")] == first


def test_a_dropped_photo_is_gone_and_on_record(root: Path) -> None:
    correct(f"{BERT},,drop,,,same as another,me", f"{ANNA},mask1,drop,,,blurred,me")
    table = run_relabel(root)
    assert BERT not in set(table["person"])
    assert len(table) == 20
    assert len(changes()) == 8
    assert changes()[0] == [f"train/images/{ANNA}/mask1.jpg", "drop", "used", "dropped", "blurred"]


def test_rules_change_the_training_target_only(root: Path) -> None:
    plain = run_relabel(root)
    table = run_relabel(root, age_rules=[{"from": 59, "to": 60}])
    assert table["true_class"].tolist() == plain["true_class"].tolist()
    assert set(classes(table, BERT, "train_class").values()) == {2, 8, 14}
    assert (table["age"] == plain["age"]).all()
    assert len(changes()) == 7
    assert changes()[0][1:] == ["train_class", "7", "8", "age_rules: 59 counts as 60"]


def test_rules_are_not_chained_and_see_corrected_ages(root: Path) -> None:
    correct(f"{ANNA},,age,45,59,,")
    table = run_relabel(root, age_rules=[{"from": 59, "to": 29}, {"from": 29, "to": 70}])
    assert set(classes(table, ANNA, "train_class").values()) == {3, 9, 15}
    assert set(classes(table, ANNA).values()) == {4, 10, 16}


def test_old_from_moves_the_bound_in_training_only(root: Path) -> None:
    table = run_relabel(root, old_from=59)
    assert set(classes(table, BERT, "train_class").values()) == {2, 8, 14}
    assert set(classes(table, BERT).values()) == {1, 7, 13}
    assert changes()[0][-1] == "old_from: 59"


def test_dropped_ages_are_scored_but_not_trained_on(root: Path) -> None:
    table = run_relabel(root, drop_train_ages=[59])
    assert set(classes(table, BERT, "train_class").values()) == {-1}
    assert set(classes(table, BERT).values()) == {1, 7, 13}
    assert len(table) == 28


@pytest.mark.parametrize(
    "rules",
    [
        {"age_rules": [{"from": 59, "to": 60}, {"from": 59, "to": 61}]},
        {"age_rules": [{"from": 59, "to": 60}], "drop_train_ages": [59]},
        {"age_rules": [{"from": 59, "to": 200}]},
        {"drop_train_ages": [-1]},
        {"old_from": 30},
        {"age_rules": [{"from": 59, "too": 60}]},
    ],
)
def test_rules_that_make_no_sense_are_refused(root: Path, rules: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        run_relabel(root, **rules)


def test_a_missing_table_of_corrections_is_one_sentence(root: Path) -> None:
    Path("data/corrections.csv").unlink()
    with pytest.raises(UserError, match=r"data/corrections\.csv"):
        run_relabel(root)
    os.mkfifo("data/corrections.csv")  # must not wait for somebody to write into it
    with pytest.raises(UserError, match="a pipe"):
        run_relabel(root)


def test_a_wrong_row_writes_nothing(root: Path) -> None:
    correct("nobody,,gender,male,female,,")
    with pytest.raises(UserError, match="line 2"):
        run_relabel(root)
    assert not Path("build/labels.parquet").exists()


def test_limit_takes_people(root: Path) -> None:
    correct(f"{BERT},,gender,male,female,,")
    assert run_relabel(root, limit=1)["person"].unique().tolist() == [ANNA]
