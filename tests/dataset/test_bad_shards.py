"""What is wrong in or beside the shards of `data.layout: shards`: each member, tar and label is told."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pandas as pd
import pytest

from tests.fixtures.data_folder import picture, quarantine, run_ingest
from tests.fixtures.shards import labels, pack

SHARDS = {"layout": "shards"}
GOOD = {"a.jpg": picture(), "a.json": labels()}
INNER = {"b.JPG/c.jpg": picture(), "b.JPG/c.json": labels()}
PLENTY = [
    (f"z{n}{kind}", data) for n in range(4) for kind, data in ((".jpg", picture()), (".json", labels()))
]


def ingested(root: Path) -> list[str]:
    """The keys of the photos that are used."""
    return run_ingest(root, data=SHARDS, ingest={"max_quarantine": 0.9})["image"].tolist()


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
        ({"b.jpg": picture(), "b.json": b'{"age": 20, "age": 70}'}, "b.jpg", "name 'age' twice"),
        ({"b.jpg": picture(), "b.json": b'"' + b"x" * (2 << 20) + b'"'}, "b.jpg", "bytes, more than"),
        ({"../b.jpg": picture(), "../b.json": labels()}, "../b.jpg", "points outside"),
        ({"/b.jpg": picture()}, "/b.jpg", "points outside"),
        ({"x/../z0.jpg": picture()}, "x/../z0.jpg", "points outside"),
        ({"x\\b.jpg": picture()}, "x\\b.jpg", "holds a backslash"),
        ({"b.webp": picture(), "b.json": labels()}, "b.webp", "not named like a photo"),
        ({"b.txt": b"caption", "c.txt": b"caption"}, "*.txt", "2 members of shards"),
        ({"__MACOSX/._a.jpg": b"x"}, "__MACOSX/._a.jpg", "hidden or system"),
        ({"b\n.jpg": picture()}, "b\\n.jpg", "control character"),
        ({"=b.jpg": picture()}, "=b.jpg", "formula"),
        ({"b.jpg": b"\xff\xd8", "b.json": labels()}, "b.jpg", ""),
        ({"b.jpg": picture(), "b.png": picture(".png"), "b.json": labels()}, "b.png", "same photo name as b"),
        ([("b.jpg", picture()), *[("b.json", labels())] * 2], "b.jpg", "0.tar holds its labels twice"),
        ([("p//b.jpg", picture()), ("p/b.jpg", picture()), ("p/b.json", labels())], "p/b.jpg", "it twice"),
        ({"b.png": picture(".png"), "b.json": labels(), **INNER}, "b.png", "in a folder, b.JPG"),
        ({f"{'d/' * 1100}b.jpg": picture()}, f"{'d/' * 1100}b.jpg", "its path is longer than 2000 bytes"),
    ],
)  # fmt: skip
def test_a_bad_member_is_quarantined(
    project: Path, members: dict[str, bytes] | list[tuple[str, bytes]], path: str, reason: str
) -> None:
    rows = members.items() if isinstance(members, dict) else members
    pack(project / "set/0.tar", [*GOOD.items(), *rows, *PLENTY])
    assert "a.jpg" in ingested(project / "set")
    found = {name.removeprefix("'"): why for name, why in quarantine().items()}
    assert reason in found[path]


def test_links_and_pipes_are_not_followed(project: Path) -> None:
    link(pack(project / "set/0.tar", GOOD))
    assert ingested(project / "set") == ["a.jpg"]
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
    assert ingested(project / "set") == ["b.jpg"]
    assert quarantine() == {"a.jpg": "the same key is in 0.tar and in 1.tar", "c.jpg": "1.tar holds it twice"}


@pytest.mark.parametrize(
    "spoiled",
    [
        [*GOOD.items(), ("a.jpg", picture())],
        {"a.jpg": picture()},  # without labels
        {"a.jpg": picture(), "a.json": b"[]"},
        [*GOOD.items(), ("a.json", labels())],
        {"a.json": labels(age=20)},  # whose labels are true?
    ],
)
def test_a_key_that_another_shard_spoils_is_nobodys(
    project: Path, spoiled: dict[str, bytes] | list[tuple[str, bytes]]
) -> None:
    pack(project / "set/0.tar", spoiled)
    pack(project / "set/1.tar", [*GOOD.items(), *PLENTY])
    assert ingested(project / "set") == [f"z{n}.jpg" for n in range(4)]
    assert "a.jpg" in quarantine()


def test_a_key_is_counted_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        pack(project / f"set/{number}.tar", [*GOOD.items(), *GOOD.items(), *(PLENTY if number else ())])
    pack(project / "set/9.tar", {"y.jpg": picture(width=20), "y.json": labels()})
    assert ingested(project / "set") == ["y.jpg"]
    assert "quarantined: 5 photo files, 0 other paths" in capsys.readouterr().err


def test_what_lies_beside_shards_is_told(project: Path) -> None:
    pack(project / "set/0.TAR", GOOD)
    pack(project / "set/train/1.tar", {"b.jpg": picture(width=20), "b.json": labels()})
    (project / "set/train/train.csv").write_text("id\n")
    (project / "set/extra").write_text("a file where a folder may be")
    pack(project / "else/2.tar", GOOD)
    (project / "set/old").symlink_to(project / "else")
    pack(project / "set/more/.snapshot/3.tar", GOOD)
    assert ingested(project / "set") == ["a.jpg", "train/b.jpg"]
    others = ["extra", "more", "old", "train/train.csv"]
    assert quarantine() == dict.fromkeys(others, "neither a shard (*.tar) nor in one")


def test_a_row_of_the_order_without_a_photo_is_told_by_its_name(project: Path) -> None:
    pack(project / "set/0.tar", GOOD)
    pack(project / "set/eval/0.tar", {"images/b.jpg": picture(width=20), "images/c.webp": picture()})
    (project / "set/eval/info.csv").write_text("ImageID\na.jpg\nb.jpg\nc.webp\n")
    ingested(project / "set")
    table = pd.read_parquet("build/eval.parquet")
    assert table["image"].tolist() == ["", "eval/images/b.jpg", ""]
    found = quarantine()
    assert "listed in eval/info.csv, but there is no such photo" in found["eval/a.jpg"]
    assert set(found) == {"eval/a.jpg", "eval/images/c.webp"}


def test_photos_to_predict_of_one_name_are_nobodys(project: Path) -> None:
    pack(project / "set/0.tar", GOOD)
    one, other = "\u00e9.jpg", "e\u0301.jpg"  # in two spellings
    pack(project / "set/eval/0.tar", {f"p/{one}": picture(), f"q/{other}": picture(), "c.jpg": picture()})
    assert ingested(project / "set") == ["a.jpg", "eval/c.jpg"]
    assert set(quarantine().values()) == {f"2 photos to predict have the ImageID {one}"}


def test_photos_to_predict_need_no_good_labels(project: Path) -> None:
    pack(project / "set/0.tar", GOOD)
    pack(project / "set/eval/0.tar", {"b.jpg": picture(), "b.json": b"[]"})
    assert ingested(project / "set") == ["a.jpg", "eval/b.jpg"]
    assert set(quarantine()) == {"eval/b.json"}
