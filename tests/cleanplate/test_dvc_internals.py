"""DVC's private parts: a DVC without them ends a command, and none is pinned unchecked."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

import dvc
import dvc.schema
import pytest
from dvc.repo.experiments import Experiments
from dvc_objects.fs import system

from cleanplate.experiments import dvc_beside_others
from cleanplate.experiments.dvc_internals import CHECKED, lock_problem, waiting_experiments
from cleanplate.integrity.dvc_records import truncated_locks
from pipeline.runtime.errors import UserError
from tests.conftest import ROOT
from tests.fixtures.experiments import run


def test_the_dvc_that_is_installed_and_required_is_the_one_checked() -> None:
    assert dvc.__version__ == CHECKED
    assert f"dvc=={CHECKED} " in (ROOT / "requirements.in").read_text(encoding="utf-8")


def test_a_lock_is_sound_or_said_not_to_be() -> None:
    assert lock_problem({"schema": "2.0", "stages": {"a": {"cmd": "true"}}}) == ""
    assert "stages" in lock_problem({"schema": "2.0", "stages": {"a": None}})


def test_without_its_schema_no_lock_passes_for_sound_or_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    assert truncated_locks(tmp_path) == []
    monkeypatch.delattr(dvc.schema, "COMPILED_LOCKFILE_SCHEMA")
    with pytest.raises(UserError, match=r"has no dvc\.schema\.COMPILED_LOCKFILE_SCHEMA"):
        truncated_locks(tmp_path)


def test_without_its_queue_no_experiment_is_taken_for_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    run(tmp_path, "git", "init", "-q")
    run(tmp_path, sys.executable, "-m", "dvc", "init", "-q")
    monkeypatch.chdir(tmp_path)
    assert waiting_experiments() == set()
    monkeypatch.delattr(Experiments, "celery_queue")
    with pytest.raises(UserError, match="celery_queue"):
        waiting_experiments()


@pytest.mark.parametrize("clones", [True, False])
def test_an_object_that_another_process_has_added_keeps_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clones: bool
) -> None:
    """Also on file systems that clone, here by a copy in place of their call."""
    if clones:
        monkeypatch.setattr(dvc_beside_others, "_clone", shutil.copyfile)
    goal, kept = tmp_path / "object", tmp_path / "kept"
    kept.write_bytes(b"a matte")
    goal.hardlink_to(kept)
    with pytest.raises(OSError, match=r"File exists|not supported|ioctl|Invalid"):
        dvc_beside_others.clone_beside(str(kept), str(goal))
    assert kept.read_bytes() == goal.read_bytes() == b"a matte"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kept", "object"]


def test_dvc_itself_would_empty_it(tmp_path: Path) -> None:
    """If this fails, a newer DVC needs no dvc_beside_others.py any more."""
    goal, kept = tmp_path / "object", tmp_path / "kept"
    kept.write_bytes(b"a matte")
    goal.hardlink_to(kept)
    with contextlib.suppress(OSError):
        system.reflink(str(kept), str(goal))
    assert kept.read_bytes() == b""
