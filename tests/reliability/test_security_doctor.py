"""A hostile dvc.lock: `cleanplate doctor` touches nothing outside the project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.params.overrides import yaml_text
from pipeline.runtime.errors import UserError
from tests.conftest import ROOT
from tests.reliability.repository import cleanplate, run


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path]:
    """A project to plant a hostile dvc.lock in, and a victim outside it.

    The doctor moves files: a probe must never be able to reach anything but a file made for it right here.
    """
    victim = tmp_path / "victim" / "precious.txt"
    victim.parent.mkdir()
    victim.write_text("precious")
    folder = tmp_path / "deep" / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / "build").mkdir()
    for name in ("params.yaml", "weights.lock"):
        shutil.copy(ROOT / name, folder / name)
    return folder, victim


def lock_with(folder: Path, path: str) -> None:
    outs = [{"path": path, "hash": "md5", "md5": "0123456789abcdef" * 2, "size": 1}]
    lock = {"schema": "2.0", "stages": {"a": {"cmd": "true", "outs": outs}}}
    (folder / "dvc.lock").write_text(yaml_text(lock))


@pytest.mark.parametrize("way", ["parent", "absolute", "link"])
def test_a_hostile_dvc_lock_makes_the_doctor_move_nothing_outside(
    hostile: tuple[Path, Path], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cleanplate.commands.doctor import _move_to_damaged
    from cleanplate.integrity.dvc_records import is_in_project

    folder, victim = hostile
    (folder / "build/out").symlink_to(victim.parent)
    named = {
        "parent": "../../victim/precious.txt",
        "absolute": str(victim),
        "link": "build/out/precious.txt",
    }[way]
    monkeypatch.chdir(folder)
    assert not is_in_project(Path(), Path(named))
    with pytest.raises(UserError, match="outside the project"):
        _move_to_damaged(Path(), Path(named))
    lock_with(folder, named)
    code, said = run(folder, *cleanplate("doctor", "--mend"))
    assert code == 1, said
    assert "not touched" in said
    assert "Traceback" not in said
    assert victim.read_text() == "precious"
    assert not (folder / ".cache/damaged").exists()


def test_a_dvc_lock_that_does_something(hostile: tuple[Path, Path]) -> None:
    folder, _ = hostile
    (folder / "dvc.lock").write_text("!!python/object/apply:os.system ['touch ran']\n")
    code, said = run(folder, *cleanplate("doctor"))
    assert code == 1, said
    assert "DVC cannot read" in said
    assert "Traceback" not in said
    assert not (folder / "ran").exists()
