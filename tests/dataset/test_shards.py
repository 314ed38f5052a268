"""`data.layout: shards`: the same outputs as of single files, and every bad member, tar and label is told."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cleanplate.integrity.inputs import check_photos
from cleanplate.review.photos import SmallPhotos
from pipeline.params.preparation import Data
from pipeline.runtime.errors import Problems, UserError
from stages import compose, detect, explore, plates, relabel, sheet, synthesize
from stages.shared.artefacts import open_photos
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
    store = open_photos("set")
    assert store.photo("b.png").shape == (16, 40, 3)
    small = SmallPhotos(store, 10**6)
    assert small.pixels("a.jpg").shape == (16, 12, 3)
    assert check_photos(project, Path("set")).damage == []
    pack(project / "set/0.tar", {"c.jpg": picture(width=30), **GOOD})
    changed = {str(damage.path) for damage in check_photos(project, Path("set")).damage}
    assert changed == {f"{project}/set/0.tar: a.jpg", f"{project}/set/0.tar: b.png"}
    with pytest.raises(UserError, match=r"0\.tar: a\.jpg"):
        store.file("a.jpg").read(pd.read_parquet("build/photos.parquet")["sha256"][0])
    with pytest.raises(UserError, match="no shard has this photo"):
        store.file("z.jpg")


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
    rows = ["a.jpg,Bert,male,30,none,", "b.jpg,,,,,eval", "gone.jpg,Bert,male,30,none,"]
    (root / "photos.csv").write_text("\n".join(["image,person,gender,age,mask,split", *rows]) + "\n")
    index = ingested(root).set_index("image")
    assert index.loc["a.jpg", ["person", "gender", "age"]].tolist() == ["Bert", "male", 30]
    assert index.loc["b.jpg", "split"] == "eval"
    assert list(index.index) == ["a.jpg", "b.jpg"]
    assert quarantine() == {"gone.jpg": "no shard holds it, but photos.csv names it"}


def test_a_limit_takes_the_first_people(project: Path) -> None:
    members = {}
    for n in range(6):
        members |= {f"{n}.jpg": picture(), f"{n}.json": labels(person=f"p{n // 2}")}
    pack(project / "set/0.tar", members)
    assert ingested(project / "set", limit=1)["image"].tolist() == ["0.jpg", "1.jpg"]


def link(shard: Path) -> None:
    """Adds links to a file outside, and a picture whose name leads out."""
    with tarfile.open(shard, "a") as tar:
        for name, kind in (("soft.jpg", tarfile.SYMTYPE), ("hard.jpg", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        pipe = tarfile.TarInfo("pipe.jpg")
        pipe.type = tarfile.FIFOTYPE
        tar.addfile(pipe)


@pytest.mark.parametrize(
    ("members", "path", "reason"),
    [
        ({"b.jpg": picture()}, "b.jpg", "no labels beside it"),
        ({"b.json": labels()}, "b.json", "labels of a photo that 0.tar does not hold"),
        ({"b.jpg": picture(), "b.json": b"[1]"}, "b.jpg", "no JSON object"),
        ({"b.jpg": picture(), "b.json": b'{"age": '}, "b.jpg", "no JSON"),
        ({"b.jpg": picture(), "b.json": b'"' + b"x" * (2 << 20) + b'"'}, "b.json", "bytes, more than"),
        ({"../b.jpg": picture(), "../b.json": labels()}, "../b.jpg", "points outside"),
        ({"/b.jpg": picture()}, "/b.jpg", "points outside"),
        ({"b.webp": picture(), "b.json": labels()}, "b.webp", "not named like a photo"),
        ({"b.txt": b"caption", "c.txt": b"caption"}, "*.txt", "2 members of shards"),
        ({"__MACOSX/._a.jpg": b"x"}, "__MACOSX/._a.jpg", "hidden or system"),
        ({"b\n.jpg": picture()}, "b\\n.jpg", "control character"),
        ({"=b.jpg": picture()}, "=b.jpg", "formula"),
        ({"b.jpg": b"\xff\xd8", "b.json": labels()}, "b.jpg", ""),
        ({"b.jpg": picture(), "b.png": picture(".png"), "b.json": labels()}, "b.png", "same photo name as b"),
    ],
)  # fmt: skip
def test_a_bad_member_is_quarantined(
    project: Path, members: dict[str, bytes], path: str, reason: str
) -> None:
    pack(project / "set/0.tar", GOOD | members)
    assert "a.jpg" in ingested(project / "set")["image"].tolist()
    found = {name.removeprefix("'"): why for name, why in quarantine().items()}
    assert reason in found[path]


def test_links_and_pipes_are_not_followed(project: Path) -> None:
    link(pack(project / "set/0.tar", GOOD))
    assert ingested(project / "set")["image"].tolist() == ["a.jpg"]
    assert quarantine() == {
        "soft.jpg": "in 0.tar: a link to /etc/passwd",
        "hard.jpg": "in 0.tar: a link to /etc/passwd",
        "pipe.jpg": "in 0.tar: no plain file",
    }


def test_a_key_in_two_places_is_nobodys(project: Path) -> None:
    more = {"b.jpg": picture(width=20), "b.json": labels()}
    pack(project / "set/0.tar", GOOD | more)
    pack(project / "set/1.tar", [*GOOD.items(), ("c.jpg", picture()), ("c.json", labels())])
    with tarfile.open(project / "set/1.tar", "a") as tar:
        tar.addfile(tarfile.TarInfo("c.jpg"))
    assert ingested(project / "set")["image"].tolist() == ["b.jpg", "c.jpg"]
    assert quarantine() == {"a.jpg": "the same key is in 0.tar and in 1.tar", "c.jpg": "1.tar holds it twice"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"age": 200}, "age is '200'"),
        ({"age": None}, "age is ''"),
        ({"gender": 0}, "gender is '0'"),
        ({"mask": "wron"}, "did you mean 'worn'"),
        ({"person": ""}, "person is empty"),
        ({"person": "=1"}, "formula"),
        ({"person": "extra:Bo"}, "set split to extra"),
        ({"split": "tain"}, "did you mean 'train'"),
        ({"age": 46}, "has age 46, but 45 in 0.tar: a.json"),
    ],
)
def test_wrong_labels_stop_it(project: Path, values: dict[str, object], said: str) -> None:
    pack(project / "set/0.tar", GOOD)
    pack(project / "set/1.tar", {"b.jpg": picture(), "b.json": labels(**values)})
    with pytest.raises(Problems) as refused:
        ingested(project / "set")
    (problem,) = refused.value.problems
    assert problem.startswith("1.tar: b.json: ")
    assert said in problem


def second_header(shard: Path) -> int:
    with tarfile.open(shard) as tar:
        return tar.getmembers()[1].offset


def cut(after: int) -> Callable[[Path], object]:
    """Cuts a shard off, so many bytes after its second header's begin."""
    return lambda shard: shard.write_bytes(shard.read_bytes()[: second_header(shard) + after])


def overwritten(shard: Path) -> None:
    at, data = second_header(shard), bytearray(shard.read_bytes())
    data[at : at + 100] = b"\x01" * 100
    shard.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut(-700), "unexpected end of data"),  # inside the first picture
        (cut(0), "cut off at byte"),  # after it: nothing but the end mark tells
        (cut(100), "cut off at byte"),  # inside a header
        (cut(600), "unexpected end of data"),  # inside the labels
        (overwritten, "damaged header at byte"),
        (lambda shard: shard.write_bytes(b""), "empty file"),
        (lambda shard: shard.write_bytes(b"\x1f\x8b" + bytes(600)), "no whole tar"),
        (lambda shard: (shard.unlink(), shard.symlink_to("/etc/passwd")), "leads out of the data folder"),
        (lambda shard: shard.rename(shard.with_suffix(".tar.gz")), "1.tar.gz: compressed"),
    ],
)
def test_a_damaged_shard_is_named(project: Path, damage: Callable[[Path], object], said: str) -> None:
    pack(project / "set/0.tar", GOOD)
    shard = pack(project / "set/1.tar", {"b.jpg": picture(width=20), "b.json": labels(), "c.jpg": picture()})
    damage(shard)
    with pytest.raises(Problems) as refused:
        ingested(project / "set")
    (problem,) = refused.value.problems
    assert problem.startswith("1.tar")
    assert said in problem


def test_a_folder_without_shards_is_one_sentence(project: Path) -> None:
    with pytest.raises(UserError, match="no shards"):
        ingested(write_two_people(project))


def test_a_url_is_refused() -> None:
    with pytest.raises(ValueError, match="copy or mount"):
        Data(root="s3://bucket/photos")
