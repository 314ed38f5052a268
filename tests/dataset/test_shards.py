"""`data.layout: shards`: the same outputs as of single files; labels from JSON or a table."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from cleanplate.integrity.inputs import check_photos
from cleanplate.review.photos import SmallPhotos, Unreadable
from pipeline.compose.crop import Square
from pipeline.compose.cutout import Cutter
from pipeline.runtime.errors import UserError
from stages import compose, detect, explore, plates, relabel, sheet, synthesize
from stages.shared.photos import open_photo_store
from tests.fixtures.data_folder import (
    ANNA,
    BERT,
    add_eval,
    add_person,
    picture,
    quarantine,
    run_ingest,
    write_two_people,
)
from tests.fixtures.pixel_project import bytes_below, make_project, stage
from tests.fixtures.shards import labels, pack, pack_folders

SHARDS = {"layout": "shards"}
GOOD = {"a.jpg": picture(), "a.json": labels()}


def ingested(root: Path, limit: int | None = None, **data: object) -> pd.DataFrame:
    return run_ingest(root, limit, data=SHARDS | data)


def test_pictures_boxes_and_sheets_are_those_of_single_files(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(project))
    make_project(project)
    pack_folders(project / "data", project / "packed")
    made: list[dict[str, bytes]] = []
    for changes in ({}, {"data__root": "packed", "data__layout": "shards"}):
        run_ingest(Path("packed" if changes else "data"), data=SHARDS if changes else {})
        relabel.run(stage("relabel", **changes))
        own = changes | {"compose__fill": "black", "train__background_swap": 1.0}
        for one in (detect, compose, synthesize, plates, sheet, explore):
            one.run(stage(one.__name__.removeprefix("stages."), **own))
        made.append(bytes_below(project / "build") | bytes_below(project / "reports"))
        shutil.rmtree(project / ".cache")  # or the second run would take all from the first
        if not changes:
            shutil.rmtree(project / "data/train")
    one, other = made
    assert {n for n in one if one[n] != other[n]} == {"photos.parquet"}
    assert set(one) == set(other)
    assert len([n for n in one if n.startswith(("plates/", "images/", "synthetic/"))]) > 40


def test_tables_are_those_of_single_files(project: Path) -> None:
    root = write_two_people(project)
    add_person(root, "000003_male_Asian_70").rename(project / "old")
    (root / "extra/images").mkdir(parents=True)
    (project / "old").rename(root / "extra/images/000003_male_Asian_70")
    for path in (root / "extra").rglob("*.jpg"):
        path.write_bytes(picture(width=20))  # the same file would be a leak
    add_eval(root, ["b.jpg", "a.jpg"])
    (root / "train/images" / ANNA / "mask1.jpg").write_bytes(b"\xff\xd8 damaged")
    (root / "eval/images/b.jpg").write_bytes(b"")
    pack_folders(root, project / "packed")
    run_ingest(root)
    first = bytes_below(project / "build")
    shutil.rmtree(root)
    index = ingested(project / "packed")
    other = bytes_below(project / "build")
    assert {n for n in first if first[n] != other[n]} == {"photos.parquet"}
    assert quarantine()[f"train/images/{ANNA}/mask1.jpg"]
    assert set(index["person"]) == {ANNA, BERT, "extra:000003_male_Asian_70", ""}
    places = pd.read_parquet("build/photos.parquet")
    assert set(places["shard"]) == {"train/00000.tar", "extra/00000.tar", "eval/00000.tar"}


def test_photos_of_a_packed_set_are_opened_by_commands(project: Path) -> None:
    pack(project / "set/0.tar", GOOD | {"b.png": picture(".png", 40), "b.json": labels()})
    ingested(project / "set")
    store = open_photo_store("set")
    assert store.photo("b.png").shape == (16, 40, 3)
    small = SmallPhotos(store, 10**6)
    assert small.pixels("a.jpg").shape == (16, 12, 3)
    assert check_photos(project, "set").damage == []
    with pytest.raises(UserError, match="no shard has this photo"):
        store.file("z.jpg")


def test_a_shard_that_was_packed_anew_shows_nobody_elses_photo(project: Path) -> None:
    pack(project / "set/0.tar", GOOD | {"b.png": picture(".png", 40), "b.json": labels()})
    ingested(project / "set")
    store = open_photo_store("set")
    other = picture(width=8).ljust(len(GOOD["a.jpg"]), b"\0")  # a whole photo where a.jpg was
    pack(project / "set/0.tar", {"c.jpg": other, **GOOD})
    assert store.file("a.jpg").fetch() == other
    changed = {str(damage.path) for damage in check_photos(project, "set").damage}
    assert changed == {f"{project}/set/0.tar: a.jpg", f"{project}/set/0.tar: b.png"}
    with pytest.raises(UserError, match=r"not the one that was indexed(.|\n)*0\.tar: a\.jpg"):
        store.photo("a.jpg")
    with pytest.raises(UserError, match="not the one that was indexed"):
        Cutter(store, None, 16).cut_out("a.jpg", Square(0, 0, 8, 8))
    with pytest.raises(Unreadable, match="not the one that was indexed"):
        SmallPhotos(store, 10**6).pixels("a.jpg")


def test_photos_of_a_table_from_before_shards_are_told_to_be_unverified(project: Path) -> None:
    pack(project / "set/0.tar", GOOD)
    ingested(project / "set")
    table = pd.read_parquet("build/photos.parquet")
    table.drop(columns=["shard", "offset"]).to_parquet("build/photos.parquet")
    (damage,) = check_photos(project, "set").damage
    assert "without offset, shard" in damage.what


def test_splits_come_from_the_json_or_the_folder(project: Path) -> None:
    pictures = {f"{n}.jpg": picture(width=40 + n) for n in range(5)}
    facts = {"0.json": labels(), "1.json": labels(person="Bo", split="extra"), "2.json": b'{"split": "eval"}'}
    pack(project / "set/0.tar", {n: pictures[n] for n in ("0.jpg", "1.jpg", "2.jpg")} | facts)
    pack(project / "set/eval/0.tar", {"./4.jpg": pictures["4.jpg"], "3.jpg": pictures["3.jpg"]})
    index = ingested(project / "set").set_index("image")
    assert index["split"].to_dict() == {
        **{"0.jpg": "train", "1.jpg": "train", "2.jpg": "eval"},
        **{"eval/3.jpg": "eval", "eval/4.jpg": "eval"},
    }
    assert index["person"].tolist() == ["Anna", "extra:Bo", "", "", ""]
    assert pd.read_parquet("build/eval.parquet")["ImageID"].tolist() == ["2.jpg", "3.jpg", "4.jpg"]


def test_a_table_has_the_labels_where_there_is_one(project: Path) -> None:
    root = project / "set"
    other = {"b.jpg": picture(width=20), "b.json": b"not read", "c.jpg": picture(width=30)}
    pack(root / "0.tar", GOOD | other)
    with tarfile.open(root / "0.tar", "a") as tar:
        for name in ("lost.jpg", "lost.jpg", "e.webp", "f.webp", "g.webp"):  # no row names them
            tar.addfile(tarfile.TarInfo(name))
    rows = ["a.jpg,Bert,male,30,none,", "b.jpg,,,,,eval", "gone.jpg,Bert,male,30,none,"]
    (root / "eval").mkdir()
    (root / "eval/info.csv").write_text("ImageID\nb.jpg\n")
    (root / "photos.csv").write_text("\n".join(["image,person,gender,age,mask,split", *rows]) + "\n")
    index = run_ingest(root, data=SHARDS, ingest={"max_quarantine": 0.4}).set_index("image")
    assert index.loc["a.jpg", ["person", "gender", "age"]].tolist() == ["Bert", "male", 30]
    assert index.loc["b.jpg", "split"] == "eval"
    assert list(index.index) == ["a.jpg", "b.jpg"]
    found = quarantine()
    assert found.pop("gone.jpg") == "no shard holds it, but photos.csv names it"
    assert "photos.csv has the photos to predict" in found.pop("eval/info.csv")
    assert set(found) == {"lost.jpg", "e.webp", "f.webp", "g.webp"}


def test_a_limit_takes_the_first_people(project: Path) -> None:
    members = {}
    for n in range(6):
        members |= {f"{n}.jpg": picture(), f"{n}.json": labels(person=f"p{n // 2}")}
    pack(project / "set/0.tar", members)
    assert ingested(project / "set", limit=1)["image"].tolist() == ["0.jpg", "1.jpg"]


def test_a_folder_without_shards_is_one_sentence(project: Path) -> None:
    with pytest.raises(UserError, match="no shards"):
        ingested(write_two_people(project))
