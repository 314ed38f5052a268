"""Publishing: whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.io.atomic import MANIFEST, atomic_file, atomic_folder, verified_folder, write_json
from pipeline.runtime.errors import UserError


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_file(target) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_hard_link_into_a_cache_is_not_written_through(tmp_path: Path) -> None:
    cached = tmp_path / "cached.json"
    cached.write_text("{}")
    output = tmp_path / "out.json"
    output.hardlink_to(cached)
    write_json(output, {"a": 1})
    assert cached.read_text() == "{}"
    assert json.loads(output.read_text()) == {"a": 1}


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for names in (["a", "b"], ["c"]):
        with atomic_folder(target) as part:
            for name in names:
                (part / name).write_text(name)
    assert {p.name for p in target.iterdir()} == {"c", MANIFEST}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_parts_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    left = tmp_path / ".out.12345.part"
    left.mkdir()
    (left / "half.png").write_text("x")
    with atomic_folder(tmp_path / "out"):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("harm", ["missing", "extra", "cut", "no manifest", "gone"])
def test_a_folder_that_is_not_as_written_is_refused(tmp_path: Path, harm: str) -> None:
    target = tmp_path / "out"
    with atomic_folder(target) as part:
        (part / "sub").mkdir()
        (part / "sub" / "a.png").write_text("pixels")
    assert verified_folder(target, "segment") == target
    if harm == "missing":
        (target / "sub" / "a.png").unlink()
    elif harm == "extra":
        (target / "b.png").write_text("x")
    elif harm == "cut":
        (target / "sub" / "a.png").write_text("pix")
    elif harm == "no manifest":
        (target / MANIFEST).unlink()
    else:
        target = tmp_path / "elsewhere"
    with pytest.raises(UserError, match="dvc repro"):
        verified_folder(target, "segment")
