"""Folders that NAS boxes, notebooks and operating systems make are listed as such and never counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.compose.backgrounds import Sources
from pipeline.compose.backgrounds.folder import chooser
from pipeline.dataset.layouts import csv, folders
from pipeline.io.image_store import ImageStore
from pipeline.io.photo_store import PhotoStore
from pipeline.params.machine import Machine
from pipeline.params.preparation import Data
from pipeline.segment.unet.matte_pairs import find_pairs
from tests.fixtures.data_folder import ANNA, BERT, add_eval, add_person, picture, quarantine, run_ingest

SYSTEM = (
    *("@eaDir", ".ipynb_checkpoints", ".AppleDouble", "__MACOSX", ".@__thumb", ".picasaoriginals"),
    *("#recycle", "lost+found", "$RECYCLE.BIN", "System Volume Information", ".anything", "@Recycle"),
)
WHY = "a hidden or system folder"


@pytest.fixture
def root(project: Path) -> Path:
    place = project / "photos"
    add_person(place, ANNA)
    add_person(place, BERT)
    add_eval(place, ["1.jpg"])
    return place


def add_thumbnails(folder: Path) -> None:
    """A folder of thumbnails as a Synology makes it: a folder per photo."""
    (folder / "mask1.jpg").mkdir(parents=True)
    (folder / "mask1.jpg" / "SYNOPHOTO_THUMB_SM.jpg").write_bytes(picture())
    (folder / "mask1.jpg").with_name("mask1-checkpoint.jpg").write_bytes(picture())


@pytest.mark.parametrize("name", SYSTEM)
def test_a_system_folder_is_listed_and_not_counted(root: Path, name: str) -> None:
    places = ["train/images", f"train/images/{ANNA}", f"train/images/{BERT}", "eval/images"]
    for place in places:
        add_thumbnails(root / place / name)
    assert len(run_ingest(root, ingest={"max_quarantine": 0.0})) == 15
    assert quarantine() == {f"{place}/{name}": WHY for place in places}


def test_a_system_folder_in_a_wrong_folder_is_not_counted(root: Path) -> None:
    inner = root / "train/images" / ANNA / "more"
    add_thumbnails(inner / "deeper" / "@eaDir")
    (inner / "mask1.jpg").write_bytes(picture())
    (inner / "._mask1.jpg").write_bytes(b"x")
    listing = folders.read(root, Data(root=str(root)), None)
    counted = {a.path: a.counts for a in listing.rejected}
    place = f"train/images/{ANNA}/more"
    assert counted == {f"{place}/mask1.jpg": True, f"{place}/deeper/@eaDir": False}


def test_a_table_made_by_walking_through_all_folders(root: Path) -> None:
    names = ["a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_SM.jpg", ".AppleDouble/a.jpg", "._a.jpg", "b.jpg"]
    rows = ["image,person,gender,age,mask,split"]
    for name in names:
        (root / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "p" / name).write_bytes(picture())
        rows.append(f"p/{name},Anna,female,45,worn,{'eval' if name == 'b.jpg' else ''}")
    rows.append("p/@eaDir/e.jpg,,,,,eval")
    (root / "photos.csv").write_text("\n".join(rows))
    index = run_ingest(root, data={"layout": "csv"}, ingest={"max_quarantine": 0.0})
    assert index["image"].tolist() == ["p/a.jpg", "p/b.jpg"]
    listing = csv.read(root, Data(root=str(root), layout="csv"), None)
    assert {a.path: a.counts for a in listing.rejected} == dict.fromkeys(
        ["p/@eaDir", "p/.AppleDouble", "p/._a.jpg"], False
    )
    assert listing.eval_rows == [("p/b.jpg", "p/b.jpg"), ("p/@eaDir/e.jpg", "")]


def test_thumbnails_are_no_backgrounds_and_no_pairs(tmp_path: Path) -> None:
    add_thumbnails(tmp_path / "photos" / "@eaDir")
    (tmp_path / "mattes" / "@eaDir").mkdir(parents=True)
    (tmp_path / "mattes" / "@eaDir" / "a.png").write_bytes(picture(".png"))
    for name in ("photos/a.jpg", "mattes/a.png"):
        (tmp_path / name).write_bytes(picture(Path(name).suffix))
    assert [pair.name for pair in find_pairs(tmp_path / "photos", tmp_path / "mattes")] == ["a"]
    photos = PhotoStore(tmp_path)
    sources = Sources(photos, ImageStore(tmp_path), folder=tmp_path / "photos", machine=Machine(workers=1))
    choose = chooser(sources, [])
    assert {choose("p", seed) for seed in np.arange(9).tolist()} == {"a.jpg"}
