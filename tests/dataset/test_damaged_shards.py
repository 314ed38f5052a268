"""What stops the ingest of `data.layout: shards`: wrong labels, and tars that are damaged or misplaced."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.runtime.errors import Problems
from tests.fixtures.data_folder import picture, run_ingest
from tests.fixtures.shards import labels, pack

GOOD = {"a.jpg": picture(), "a.json": labels()}


def only_problem(project: Path) -> str:
    """What stops the ingest of the set."""
    with pytest.raises(Problems) as refused:
        run_ingest(project / "set", data={"layout": "shards"})
    (problem,) = refused.value.problems
    return problem


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
