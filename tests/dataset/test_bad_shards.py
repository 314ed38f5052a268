"""What is wrong in or beside the shards of `data.layout: shards`: each member, tar and label is told."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.runtime.errors import Problems
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
    problem = only_problem(project)
    assert problem.startswith("1.tar: b.json: ")
    assert said in problem


def only_problem(project: Path) -> str:
    """What stops the ingest of the set."""
    with pytest.raises(Problems) as refused:
        ingested(project / "set")
    (problem,) = refused.value.problems
    return problem


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


def sized(size: bytes, kind: bytes = tarfile.REGTYPE) -> Callable[[Path], object]:
    """Writes another size into a shard's second header, and its kind."""

    def change(shard: Path) -> None:
        at, data = second_header(shard), bytearray(shard.read_bytes())
        data[at + 124 : at + 136], data[at + 156 : at + 157] = size, kind
        data[at + 148 : at + 156] = b" " * 8
        data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
        shard.write_bytes(bytes(data))

    return change


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut(-700), "unexpected end of data"),  # inside the first picture
        (cut(0), "cut off at byte"),  # after it: nothing but the end mark tells
        (cut(100), "cut off at byte"),  # inside a header
        (cut(600), "unexpected end of data"),  # inside the labels
        (overwritten, "damaged header at byte"),
        (lambda shard: shard.write_bytes(2 * shard.read_bytes()), "more after its end mark at byte"),
        (sized(b"\x80" + b"\x7f" * 11), "no whole tar"),  # larger than any file
        (sized(b"%011o\0" % 2**32, tarfile.XHDTYPE), "a header says that it has"),
        (
            lambda shard: (shard.parent / "deep").mkdir() or shard.rename(shard.parent / "deep/1.TAR"),
            "too deep",
        ),
        (lambda shard: shard.rename(shard.parent / "1\n.tar"), "control character"),
        (lambda shard: shard.rename(shard.parent / "1\udcff.tar"), "not UTF-8"),
        (lambda shard: (shard.unlink(), shard.mkdir()), "a folder that is named like a shard"),
        (lambda shard: (shard.parent / "eval").symlink_to("/etc"), "leads out of the data folder"),
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
    problem = only_problem(project)
    assert problem.startswith(("1", "deep: 1 shards", "eval"))
    assert said in problem


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
