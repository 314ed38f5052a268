"""Disks that are full or read-only, for real: a small tmpfs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.io.atomic import atomic_file, atomic_folder, write_text
from pipeline.runtime.disk import format_bytes, require_room
from pipeline.runtime.errors import UserError
from tests.reliability.repository import cleanplate, dvc, make_repository, run, stage, write_params

Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Makes small file systems; skips where that is not allowed."""
    made: list[Path] = []

    def small(kilobytes: int, options: str = "", at: Path | None = None) -> Path:
        place = at or tmp_path / f"disk{len(made)}"
        place.mkdir(parents=True, exist_ok=True)
        wanted = f"size={kilobytes}k{',' + options if options else ''}"
        command = ["mount", "-t", "tmpfs", "-o", wanted, "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
        made.append(place)
        return place

    if not shutil.which("mount") or os.name != "posix":
        pytest.skip("there is no `mount` here")
    yield small
    for place in reversed(made):
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_file_that_does_not_fit_leaves_the_old_one(mount: Mount) -> None:
    disk = mount(256)
    write_text(disk / "table.csv", "old")
    with pytest.raises(UserError, match="the disk is full") as refused:
        write_text(disk / "table.csv", "x" * 1_000_000)
    assert str(disk / "table.csv") in str(refused.value)
    assert [p.name for p in disk.iterdir()] == ["table.csv"]
    assert (disk / "table.csv").read_text() == "old"


def test_a_folder_that_does_not_fit_is_not_there(mount: Mount) -> None:
    disk = mount(256)
    with pytest.raises(UserError, match="the disk is full"):
        _many_pictures(disk / "images")
    assert list(disk.iterdir()) == []


def _many_pictures(folder: Path) -> None:
    with atomic_folder(folder) as part:
        for k in range(100):
            (part / f"{k}.jpg").write_bytes(b"x" * 10_000)


def test_libraries_that_hide_the_reason(mount: Mount) -> None:
    import pandas as pd
    import torch
    from safetensors.torch import save_file

    from pipeline.io.tables import write_table

    disk = mount(128)
    table = pd.DataFrame({"a": [os.urandom(1000).hex() for _ in range(1000)]})
    tensors = {"a": torch.zeros(100_000)}
    for write in (
        lambda: write_table(disk / "a.parquet", table),
        lambda: _within(disk / "model.safetensors", lambda part: save_file(tensors, part)),
        lambda: _within(disk / "last.pt", lambda part: torch.save(tensors, part)),
    ):
        with pytest.raises(UserError, match="the disk is full"):
            write()
        assert list(disk.iterdir()) == []


def _within(path: Path, write: Callable[[Path], None]) -> None:
    with atomic_file(path) as part:
        write(part)


def test_no_room_is_foreseen(mount: Mount) -> None:
    disk = mount(256)
    require_room(disk / "not/yet", 100_000, "it")
    with pytest.raises(UserError, match="will not fit"):
        require_room(disk / "not/yet", 1_000_000, "it")


def test_a_stage_refuses_to_begin_what_will_not_fit(mount: Mount, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "project", people=2, photos=2, git=False)
    assert run(folder, *stage("ingest"))[0] == 0
    saved = shutil.copytree(folder / "build", tmp_path / "saved")
    mount(64, at=folder / "build")
    shutil.copytree(saved, folder / "build", dirs_exist_ok=True)
    write_params(folder, compose__size=1024)
    code, said = run(folder, *stage("compose"))
    assert code == 1
    assert "what `compose` writes will not fit on the disk" in said
    assert not (folder / "build/images").exists()


def test_a_disk_that_fills_up_in_the_middle(mount: Mount, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "project", people=6, photos=3, git=False)
    assert run(folder, *stage("ingest"))[0] == 0
    saved = shutil.copytree(folder / "build", tmp_path / "saved")
    disk = mount(420, at=folder / "build")
    shutil.copytree(saved, folder / "build", dirs_exist_ok=True)
    free = shutil.disk_usage(disk).free
    write_params(folder, compose__size=32, compose__fill="keep")
    (disk / "filler").write_bytes(b"x" * (free - 45_000))  # enough for the estimate, not for whole pages
    code, said = run(folder, *stage("compose"))
    assert code == 1
    assert "the disk is full" in said
    assert "build/images" in said
    assert "Traceback" not in said
    assert not (folder / "build/images").exists()
    assert not list((folder / "build").glob(".*"))
    (disk / "filler").unlink()
    assert run(folder, *stage("compose"))[0] == 0


def test_a_full_disk_of_dvcs_cache(mount: Mount, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "project", people=4, photos=2)
    cache = mount(48)
    assert run(folder, *dvc("cache", "dir", "--local", str(cache)))[0] == 0
    assert run(folder, *dvc("config", "--local", "cache.type", "copy"))[0] == 0
    (cache / "filler").write_bytes(b"x" * 20_000)
    code, said = run(folder, *dvc("repro", "compose"))
    if code == 0:  # DVC says that all is well
        code, said = run(folder, *cleanplate("verify"))
        assert "missing in DVC's cache" in said
    assert code != 0
    assert "Traceback" not in said


def test_a_read_only_disk_is_a_sentence(mount: Mount, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "project", people=2, photos=1, git=False)
    mount(64, "ro", at=folder / ".cache")
    code, said = run(folder, *stage("ingest"))
    assert code == 1
    assert "Read-only file system" in said
    assert ".cache/locks" in said
    assert "Traceback" not in said


def test_a_read_only_cache_of_dvc(mount: Mount, tmp_path: Path) -> None:
    folder = make_repository(tmp_path / "project", people=2, photos=1)
    cache = mount(64, "ro")
    assert run(folder, *dvc("cache", "dir", "--local", str(cache)))[0] == 0
    code, said = run(folder, *dvc("repro", "relabel"))
    if code == 0:  # DVC says that all is well
        code, said = run(folder, *cleanplate("verify"))
        assert "missing in DVC's cache" in said
    assert code != 0, said
    assert "Traceback" not in said


def test_sizes_read_well() -> None:
    assert [format_bytes(n) for n in (0, 999, 1500, 2.5e6, 3e9)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "2.5 MB",
        "3.0 GB",
    ]
