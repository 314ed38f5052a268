"""Unusable files are quarantined with a reason, and too many of them stop the run."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipeline.params.preparation import Ingest
from pipeline.runtime.errors import Problems
from tests.fixtures.data_folder import (
    ANNA,
    BERT,
    STEMS,
    add_eval,
    add_person,
    picture,
    quarantine,
    run_ingest,
    write_two_people,
)


@pytest.fixture
def root(project: Path) -> Path:
    """A data folder with two people; the current folder is the project's."""
    return write_two_people(project)


def test_every_unusable_file_is_quarantined_with_its_reason(root: Path, tmp_path: Path) -> None:
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
        "mask1.heic": "not named like a photo",
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
    monkeypatch.chdir(root.parent)
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


@pytest.mark.parametrize("layout", ["files/md5", "."])  # of DVC 3 and of DVC 2
def test_photos_that_dvc_links_into_its_cache_are_used(root: Path, tmp_path: Path, layout: str) -> None:
    (Path.cwd() / ".dvc").mkdir()
    (Path.cwd() / ".dvc" / "config").write_text(
        f"[core]\n  no_scm = true\n[cache]\n  dir = {tmp_path / 'kept'}\n"
    )
    cached = tmp_path / "kept" / layout / "ab" / ("0" * 30)
    cached.parent.mkdir(parents=True)
    photo = root / "train" / "images" / ANNA / "mask1.jpg"
    photo.rename(cached)
    photo.symlink_to(cached)
    assert len(run_ingest(root)) == 14


def test_too_much_quarantine_stops_with_the_list(root: Path) -> None:
    (root / "train" / "images" / ANNA / "mask1.jpg").write_bytes(b"")
    with pytest.raises(Problems, match=r"1 of 14 photo files \(7.1%\)") as refused:
        run_ingest(root, ingest={"max_quarantine": 0.05})
    assert "mask1.jpg: its content is not JPEG or PNG: empty file" in str(refused.value)
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


def test_header_only_does_not_look_at_pixels(root: Path) -> None:
    (root / "train" / "images" / ANNA / "mask1.jpg").write_bytes(picture()[:-100])
    assert len(run_ingest(root, ingest={"verify": "header"})) == 14
    assert len(run_ingest(root)) == 13


def test_pixel_limit(root: Path) -> None:
    (root / "train" / "images" / ANNA / "mask1.jpg").write_bytes(picture(width=40, height=40))
    assert len(run_ingest(root, ingest={"max_pixels": 1599})) == 13
    assert "40 x 40 = 1600 pixels" in next(iter(quarantine().values()))
    assert len(run_ingest(root, ingest={"max_pixels": 1600})) == 14


def test_photos_of_a_few_pixels_are_quarantined(root: Path) -> None:
    add_eval(root, ["1.jpg"])
    (root / "train" / "images" / ANNA / "mask1.jpg").write_bytes(picture(width=19, height=400))
    (root / "train" / "images" / ANNA / "mask2.jpg").write_bytes(picture(width=400, height=20))
    (root / "eval" / "images" / "1.jpg").write_bytes(picture(width=8, height=8))
    index = run_ingest(root, ingest={"min_side": 12})
    assert len(index) == 14
    assert list(quarantine().values()) == ["8 x 8 pixels, a side below ingest.min_side = 12"]
    assert run_ingest(root, ingest={"min_side": 20})["image"].tolist() == [f"train/images/{ANNA}/mask2.jpg"]
    with pytest.raises(Problems, match=r"19 x 400 pixels.*ingest\.min_side = 20; use a larger one, or lower"):
        run_ingest(root, ingest={"min_side": 20, "max_quarantine": 0.5})


def test_a_folder_of_tiny_photos_is_no_training_set_by_default(root: Path) -> None:
    with pytest.raises(Problems, match=r"12 x 16 pixels, a side below ingest\.min_side = 32"):
        run_ingest(root, ingest={"min_side": Ingest().min_side})


def test_photos_in_inner_folders_are_named_one_by_one(root: Path) -> None:
    inner = root / "train/images" / ANNA / "more" / "still more"
    inner.mkdir(parents=True)
    (inner / "mask1.jpg").write_bytes(b"x")
    (inner / "notes.txt").write_text("x")
    (root / "train/images" / BERT / "empty").mkdir()
    run_ingest(root)
    rejected = quarantine()
    assert "in a folder inside" in rejected[f"train/images/{ANNA}/more/still more/mask1.jpg"]
    assert "a folder inside" in rejected[f"train/images/{BERT}/empty"]
