"""train.csv and info.csv beside the folders: compared, kept in order, every wrong row listed."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from pipeline.runtime.errors import Problems
from tests.fixtures.data_folder import (
    ANNA,
    BERT,
    add_eval,
    add_person,
    quarantine,
    run_ingest,
    write_two_people,
)


@pytest.fixture
def root(project: Path) -> Path:
    """A data folder with two people; the current folder is the project's."""
    return write_two_people(project)


def test_train_csv_is_compared(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = root / "train" / "train.csv"
    add_person(root, "000003_male_Asian_20")
    table.write_bytes(
        b"\xef\xbb\xbf"
        + b"path;age;race;gender;id\r\n"
        + f'{ANNA};46;Asian;"female";1\r\n{BERT};59;Asian;male;000002\r\n\r\n'.encode()
        + b"000004_male_Asian_30;30;Asian;male;000004\r\n"
    )
    assert len(run_ingest(root)) == 21
    said = capsys.readouterr().err
    assert f"line 2: age is '46'; {ANNA} is what counts" in said
    assert "000003_male_Asian_20: not in train/train.csv" in said
    assert "line 5: there is no folder train/images/000004_male_Asian_30" in said
    assert said.count("note:") == 3
    assert "train/images/000004_male_Asian_30" in quarantine()


def test_a_broken_train_csv_is_listed_with_the_folders(root: Path) -> None:
    add_person(root, "000003_femail_Asian_20")
    (root / "train" / "train.csv").write_text(
        f"id,gender,race,age,path\n1,femal,Asian,abc,{ANNA}\n2,male,Asian,59,{BERT}\n2,male,Asian,58,{BERT}\n"
    )
    with pytest.raises(Problems) as refused:
        run_ingest(root)
    text = str(refused.value)
    assert "000003_femail_Asian_20: gender is 'femail'" in text
    assert "line 2: gender is 'femal', did you mean 'female'?" in text
    assert "line 2: age is 'abc'" in text
    assert f"line 4: {BERT} is in line 3 too" in text


@pytest.mark.parametrize("table", ["train/train.csv", "eval/info.csv"])
def test_tables_that_are_no_files(root: Path, tmp_path: Path, table: str) -> None:
    add_eval(root, ["a.jpg"], listed=[])
    os.mkfifo(root / table)
    with pytest.raises(Problems, match="a pipe, not a file"):
        run_ingest(root)
    (root / table).unlink()
    (tmp_path / "secret").write_text("x")
    (root / table).symlink_to(tmp_path / "secret")
    with pytest.raises(Problems, match="out of the data folder"):
        run_ingest(root)


def test_eval_keeps_the_tables_order_and_every_row(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_eval(root, ["a.jpg", "b.jpg", "c.jpg", "bad.jpg"], listed=["c.jpg", "gone.jpg", "bad.jpg", "a.jpg"])
    (root / "eval" / "images" / "bad.jpg").write_bytes(b"")
    index = run_ingest(root)
    rows = pd.read_parquet("build/eval.parquet")
    assert rows["ImageID"].tolist() == ["c.jpg", "gone.jpg", "bad.jpg", "a.jpg"]
    assert rows["image"].tolist() == ["eval/images/c.jpg", "", "", "eval/images/a.jpg"]
    assert rows["position"].tolist() == [0, 1, 2, 3]
    assert index.loc[
        index["split"] == "eval", ["image", "position", "person", "age"]
    ].to_numpy().tolist() == [
        ["eval/images/a.jpg", 3, "", -1],
        ["eval/images/c.jpg", 0, "", -1],
    ]
    assert "not listed" in quarantine()["eval/images/b.jpg"]
    assert "no such photo" in quarantine()["eval/images/gone.jpg"]
    assert "eval/images/gone.jpg" in capsys.readouterr().err


def test_eval_without_a_table_is_by_name(root: Path) -> None:
    add_eval(root, ["b.jpg", "a.jpg"], listed=[])
    run_ingest(root)
    assert pd.read_parquet("build/eval.parquet")["ImageID"].tolist() == ["a.jpg", "b.jpg"]


def test_eval_rows_that_are_wrong_are_all_listed(root: Path) -> None:
    add_eval(root, ["a.jpg"], listed=["a.jpg", "a.jpg", "../a.jpg", "/etc/passwd", "", "b\\a.jpg"])
    with pytest.raises(Problems) as refused:
        run_ingest(root)
    assert [p.split(":")[0] for p in refused.value.problems] == [
        f"eval/info.csv line {n}" for n in range(3, 8)
    ]
    assert "is in line 2 too" in refused.value.problems[0]


def test_a_path_of_train_csv_that_leads_out_is_refused(root: Path) -> None:
    table = f"id,gender,race,age,path\n000001,female,Asian,45,../../{ANNA}\n"
    (root / "train" / "train.csv").write_text(table)
    with pytest.raises(Problems, match=r"line 2: path .* points outside"):
        run_ingest(root)


def test_eval_names_match_however_their_accents_are_written(root: Path) -> None:
    composed, decomposed = "\u00e9.jpg", "e\u0301.jpg"
    add_eval(root, [decomposed, "a.jpg"], listed=[composed, "a.jpg"])
    run_ingest(root)
    rows = pd.read_parquet("build/eval.parquet")
    assert rows["ImageID"].tolist() == [composed, "a.jpg"]  # as the table writes it
    assert rows["image"].tolist() == [f"eval/images/{decomposed}", "eval/images/a.jpg"]
    (root / "eval/info.csv").write_text(f"ImageID,ans\n{composed},0\n{decomposed},0\n")
    with pytest.raises(Problems, match=r"line 3: .* is in line 2 too"):
        run_ingest(root)


def test_eval_images_that_are_no_folder(root: Path) -> None:
    (root / "eval").mkdir()
    (root / "eval/images").write_text("x")
    with pytest.raises(Problems, match="eval/images is not a folder"):
        run_ingest(root)
