"""Ingest: every file is in the index or in the quarantine; wrong labels stop it, all listed at once."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.io.photo import decode_photo
from pipeline.runtime.errors import Problems, UserError
from tests.conftest import ROOT
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


def test_labels_come_from_names(root: Path) -> None:
    index = run_ingest(root)
    assert len(index) == 14
    row = index.set_index("image").loc[f"train/images/{BERT}/incorrect_mask.png"]
    assert (row["person"], row["gender"], row["age"], row["mask"]) == (BERT, "male", 59, "incorrect")
    assert (row["width"], row["height"], row["position"]) == (12, 16, -1)
    assert quarantine() == {}
    photos = pd.read_parquet("build/photos.parquet")
    assert list(photos) == [
        *["image", "person", "split", "width", "height", "sha256"],
        *["shard", "offset", "bytes"],
    ]
    assert set(photos["shard"]) == {""}


def test_one_id_in_two_folders_stays_two_people(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_person(root, "003397_female_Asian_20")
    add_person(root, "003397_female_Asian_19")
    add_person(root, "001498-1_male_Asian_23")
    assert run_ingest(root)["person"].nunique() == 5
    assert "id 003397 is in 2 folders" in capsys.readouterr().err


def test_person_folders_that_do_not_parse_are_all_listed(root: Path) -> None:
    wrong = {
        "000003_male_Asian_abc": "age is 'abc'",
        "000004_male_Asian_-1": "age is '-1'",
        "000005_male_Asian_200": "age is '200'",
        "000006_male_Asian_ 25": "age is ' 25'",
        "000007_femail_Asian_25": "did you mean 'female'",
        "000008_male_25": "3 fields",
        "000009_male_Asian_25_x": "5 fields",
        "_male_Asian_25": "id is empty",
        "000010_mael__200": "race is empty",
        "somebody": "1 fields",
        "000011_male_Asian_٢٥": "age is",
    }
    for name in wrong:
        add_person(root, name, stems=["normal"])
    with pytest.raises(Problems) as refused:
        run_ingest(root)
    assert len(refused.value.problems) == len(wrong)
    for name, part in wrong.items():
        assert any(f"{name}:" in p and part in p for p in refused.value.problems), name
    assert f"images/{ANNA}" not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: None, "missing"),
        (lambda p: p.mkdir(), "empty"),
        (lambda p: p.write_text("x"), "not a folder"),
        (lambda p: (p / "x").mkdir(parents=True), "no train/images"),
        (lambda p: (p / "train" / "images").mkdir(parents=True), "no training photo"),
        (lambda p: add_person(p / "inner", ANNA), "data.root: .*inner"),
    ],
)
def test_a_root_without_photos_is_one_clear_sentence(project: Path, make: object, said: str) -> None:
    place = project / "photos"
    make(place)  # type: ignore[operator]
    with pytest.raises(UserError, match=said):
        run_ingest(place)


def test_a_root_one_level_too_deep(root: Path) -> None:
    with pytest.raises(UserError, match="meant its parent"):
        run_ingest(root / "train")


def test_missing_photos_are_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "train" / "images" / ANNA / "mask3.jpg").unlink()
    assert len(run_ingest(root)) == 13
    assert f"train/images/{ANNA}: no mask3" in capsys.readouterr().err


def test_limit_takes_the_first_people_and_writes_apart(root: Path) -> None:
    add_eval(root, ["a.jpg", "b.jpg"])
    index = run_ingest(root, limit=1)
    assert index["person"].unique().tolist() == [ANNA, ""]
    assert index["image"].tolist()[-1] == "eval/images/a.jpg"
    assert not Path("build").exists()


def test_outputs_depend_on_no_order_time_or_worker_count(root: Path) -> None:
    add_eval(root, ["a.jpg", "b.jpg"])
    for k in range(3, 30):
        add_person(root, f"{k:06}_male_Asian_{k}")
    (root / "train" / "images" / ANNA / "mask1.jpg").write_bytes(b"")
    run_ingest(root)
    first = {p.name: p.read_bytes() for p in sorted(Path("build").iterdir())}
    shutil.rmtree("build")
    shutil.rmtree(".cache/items")
    folders = list((root / "train" / "images").iterdir())
    random.Random(3).shuffle(folders)
    for folder in folders:  # made anew in another order, at other times
        shutil.copytree(folder, root / "copy")
        shutil.rmtree(folder)
        (root / "copy").rename(folder)
        os.utime(folder, (1, 1))
    run_ingest(root, machine={"workers": 2})
    assert {p.name: p.read_bytes() for p in sorted(Path("build").iterdir())} == first
    assert set(first) == {"index.parquet", "photos.parquet", "eval.parquet", "quarantine.csv"}


def test_photos_seen_before_are_not_decoded_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another name too; new bytes are decoded, and damaged ones refused each time."""
    run_ingest(root)
    first = pd.read_parquet("build/index.parquet")
    folder = root / "train" / "images" / ANNA
    (folder / "mask1.jpg").rename(folder / "mask1.jpeg")
    decoded: list[str] = []

    def decode(data: bytes, where: str) -> None:
        decoded.append(where)
        decode_photo(data, where=where)

    monkeypatch.setattr("pipeline.dataset.photo_opening.decode_photo", decode)
    run_ingest(root, machine={"workers": 1})
    assert decoded == []
    second = pd.read_parquet("build/index.parquet")
    assert sorted(second["sha256"]) == sorted(first["sha256"])
    (folder / "mask2.jpg").write_bytes((folder / "mask2.jpg").read_bytes()[:-40])
    for _ in range(2):
        run_ingest(root, machine={"workers": 1}, ingest={"max_quarantine": 1.0})
        assert "mask2.jpg" in str(quarantine())
    assert decoded == [f"train/images/{ANNA}/mask2.jpg"] * 2


@pytest.mark.parametrize("name", ["ingest", "relabel", "split"])
def test_a_label_stage_never_imports_torch(name: str) -> None:
    heavy = "('torch', 'torchvision', 'cv2', 'timm', 'sklearn')"
    code = f"import sys, stages.{name}; print([m for m in sys.modules if m in {heavy}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
