"""DVC's private parts: a DVC without them ends a command, and none is pinned unchecked."""

from __future__ import annotations

import sys
from pathlib import Path

import dvc
import dvc.schema
import pytest
from dvc.repo.experiments import Experiments

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
