"""Ingest: every file is in the index or in the quarantine; wrong labels stop it, all listed at once."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import Problems, UserError
from tests.conftest import ROOT
from tests.data_folder import (
    ANNA,
    BERT,
    STEMS,
    add_eval,
    add_person,
    picture,
    quarantine,
    run_ingest,
)


@pytest.fixture
def root(project: Path) -> Path:
    """A data folder with two people; the current folder is the project's."""
    place = project / "photos"
    add_person(place, ANNA)
    add_person(place, BERT, ".png")
    return place


def test_labels_come_from_names(root: Path) -> None:
    index = run_ingest(root)
    assert len(index) == 14
    row = index.set_index("image").loc[f"train/images/{BERT}/incorrect_mask.png"]
    assert (row["person"], row["gender"], row["age"], row["mask"]) == (BERT, "male", 59, "incorrect")
    assert (row["width"], row["height"], row["position"]) == (12, 16, -1)
    assert quarantine() == {}
    photos = pd.read_parquet("build/photos.parquet")
    assert list(photos) == ["image", "person", "split", "width", "height", "sha256"]


def test_one_id_in_two_folders_stays_two_people(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_person(root, "003397_female_Asian_20")
    add_person(root, "003397_female_Asian_19")
    add_person(root, "001498-1_male_Asian_23")
    assert run_ingest(root)["person"].nunique() == 5
    assert "id 003397 is in 2 folders" in capsys.readouterr().err


def test_every_unusable_file_is_set_aside_with_its_reason(root: Path, tmp_path: Path) -> None:
    folder = root / "train" / "images" / ANNA
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(picture())
    for stem in STEMS:
        (folder / f"{stem}.jpg").unlink()
    (folder / "mask1.jpg").write_bytes(picture()[:-20])
    (folder / "mask2.jpg").symlink_to(outside)
    (folder / "mask3.jpg").symlink_to("mask3.jpg")
    (folder / "mask4.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "mask5.jpg")
    (folder / "normal.jpg").write_bytes(picture())
    (folder / "normal.png").write_bytes(picture(".png"))
    (folder / "incorrect_mask.jpg").symlink_to(f"../{BERT}/mask1.png")  # inside: as good as the file
    (folder / "maks1.jpg").write_bytes(picture())
    (folder / "mask1.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "._mask1.jpg").write_bytes(b"x")
    (folder / "mask\n1.jpg").write_bytes(picture())
    (folder / "more").mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/mask\xff.jpg")).write_bytes(picture())
    index = run_ingest(root)
    reasons = {Path(path).name: reason for path, reason in quarantine().items()}
    expected = {
        "mask1.jpg": "damaged or cut off",
        "mask2.jpg": "out of the data folder",
        "mask3.jpg": "leads to itself",
        "mask4.jpg": "does not exist",
        "mask5.jpg": "a pipe",
        "normal.jpg": "same photo name as normal.png",
        "normal.png": "same photo name as normal.jpg",
        "maks1.jpg": "not a known photo name",
        "mask1.heic": "not named as a photo",
        "Thumbs.db": "system file",
        "._mask1.jpg": "system file",
        "mask\\n1.jpg": "line break",
        "more": "a folder",
        "mask\\udcff.jpg": "not UTF-8",
    }
    assert set(reasons) == set(expected)
    for name, part in expected.items():
        assert part in reasons[name], (name, reasons[name])
    assert index.loc[index["person"] == ANNA, "image"].tolist() == [f"train/images/{ANNA}/incorrect_mask.jpg"]


def test_sockets_and_unreadable_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "train" / "images" / ANNA
    (folder / "mask1.jpg").unlink()
    monkeypatch.chdir(folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("mask1.jpg")
    monkeypatch.undo()
    os.chdir(root.parent)
    (folder / "mask2.jpg").chmod(0)
    run_ingest(root)
    reasons = {Path(path).name: reason for path, reason in quarantine().items()}
    assert "a socket" in reasons["mask1.jpg"]
    if os.geteuid() != 0:  # root may read everything
        assert "permission denied" in reasons["mask2.jpg"]


def test_folders_that_are_links(root: Path, tmp_path: Path) -> None:
    elsewhere = add_person(tmp_path / "elsewhere", "000009_male_Asian_20")
    images = root / "train" / "images"
    (images / "000009_male_Asian_20").symlink_to(elsewhere)
    (images / "000010_male_Asian_20").symlink_to("000010_male_Asian_20")
    (images / "000011_male_Asian_20").symlink_to(images)
    assert run_ingest(root)["person"].nunique() == 2
    assert "out of the data folder" in quarantine()["train/images/000009_male_Asian_20"]
    assert "train/images/000010_male_Asian_20" in quarantine()


def test_photos_that_dvc_links_into_its_cache_are_used(root: Path, tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "files" / "md5" / "ab" / ("0" * 30)
    cached.parent.mkdir(parents=True)
    photo = root / "train" / "images" / ANNA / "mask1.jpg"
    photo.rename(cached)
    photo.symlink_to(cached)
    assert len(run_ingest(root)) == 14


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


def test_too_much_quarantine_stops_with_the_list(root: Path) -> None:
    (root / "train" / "images" / ANNA / "mask1.jpg").write_bytes(b"")
    with pytest.raises(Problems, match=r"1 of 14 photo files \(7.1%\)") as refused:
        run_ingest(root, ingest={"max_quarantine": 0.05})
    assert "mask1.jpg: its content is no JPEG or PNG: empty file" in str(refused.value)
    assert len(quarantine()) == 1
    assert not Path("build/index.parquet").exists()
    assert len(run_ingest(root, ingest={"max_quarantine": 0.1})) == 13


def test_junk_does_not_count_as_quarantine(root: Path) -> None:
    for k in range(9):
        (root / "train" / "images" / ANNA / f"._{k}.jpg").write_bytes(b"x")
    (root / "train" / "images" / "notes.txt").write_text("x")
    (root / "train" / "images" / "__MACOSX").mkdir()
    assert len(run_ingest(root, ingest={"max_quarantine": 0.0})) == 14
    assert len(quarantine()) == 11


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: None, "missing"),
        (lambda p: p.mkdir(), "empty"),
        (lambda p: p.write_text("x"), "not a folder"),
        (lambda p: (p / "x").mkdir(parents=True), "no train/images"),
        (lambda p: (p / "train" / "images").mkdir(parents=True), "not one photo"),
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


def test_missing_photos_are_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "train" / "images" / ANNA / "mask3.jpg").unlink()
    assert len(run_ingest(root)) == 13
    assert f"train/images/{ANNA}: no mask3" in capsys.readouterr().err


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


def test_header_only_does_not_look_at_pixels(root: Path) -> None:
    (root / "train" / "images" / ANNA / "mask1.jpg").write_bytes(picture()[:-100])
    assert len(run_ingest(root, ingest={"verify": "header"})) == 14
    assert len(run_ingest(root)) == 13


def test_pixel_limit(root: Path) -> None:
    (root / "train" / "images" / ANNA / "mask1.jpg").write_bytes(picture(width=40, height=40))
    assert len(run_ingest(root, ingest={"max_pixels": 1599})) == 13
    assert "40 x 40 = 1600 pixels" in next(iter(quarantine().values()))
    assert len(run_ingest(root, ingest={"max_pixels": 1600})) == 14


@pytest.mark.parametrize("name", ["ingest", "relabel", "split"])
def test_a_label_stage_never_imports_torch(name: str) -> None:
    heavy = "('torch', 'torchvision', 'cv2', 'timm', 'sklearn')"
    code = f"import sys, stages.{name}; print([m for m in sys.modules if m in {heavy}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
