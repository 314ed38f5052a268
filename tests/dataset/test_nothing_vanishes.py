"""Folders and tables that hold nothing are told of, and not counted as bad photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.data_folder import ANNA, BERT, add_eval, add_person, quarantine, run_ingest

EMPTY = "000009_male_Asian_20"


@pytest.fixture
def root(project: Path) -> Path:
    place = project / "photos"
    add_person(place, ANNA)
    add_person(place, BERT)
    return place


@pytest.mark.parametrize("inside", [[], [".DS_Store"], ["notes.txt"]])
def test_a_person_without_a_photo_is_told(
    root: Path, inside: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = add_person(root, EMPTY, stems=[])
    for name in inside:
        (folder / name).write_text("x")
    assert len(run_ingest(root, ingest={"max_quarantine": 0.0})) == 14
    path = f"train/images/{EMPTY}"
    assert quarantine()[path] == "a person's folder without a photo"
    assert f"note: {path}: a person's folder without a photo" in capsys.readouterr().err


def test_a_person_whose_photo_has_a_wrong_name_is_told_once(root: Path) -> None:
    add_person(root, EMPTY, stems=["maks1"])
    run_ingest(root)
    assert list(quarantine()) == [f"train/images/{EMPTY}/maks1.jpg"]


@pytest.mark.parametrize(
    ("table", "header"),
    [("train/train.csv", "id,gender,race,age,path\n"), ("eval/info.csv", "ImageID,ans\n")],
)
def test_a_table_without_rows_is_told(
    root: Path, table: str, header: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_eval(root, [], listed=[])
    (root / table).write_text(header)
    assert len(run_ingest(root, ingest={"max_quarantine": 0.0})) == 14
    assert quarantine() == {table: "a table with a header and no rows"}
    assert f"note: {table}: a table with a header and no rows" in capsys.readouterr().err
