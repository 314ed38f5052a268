"""Being one process among others, for real: real processes, real kill -9."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.runtime.errors import UserError
from pipeline.runtime.process import stage_lock, worker_count

ROOT = Path(__file__).parents[2]
CHILD = """
import os, pathlib, sys, time
sys.path.insert(0, {root!r})
from pipeline.runtime.process import die_with_parent
die_with_parent()
pathlib.Path({pid!r}).write_text(str(os.getpid()))
time.sleep(60)
"""


def started(pid_file: Path) -> psutil.Process:
    for _ in range(200):
        if pid_file.exists() and pid_file.read_text():
            return psutil.Process(int(pid_file.read_text()))
        time.sleep(0.05)
    raise AssertionError("the child did not start")


def gone(process: psutil.Process, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("through_a_shell", [False, True])
def test_a_stage_dies_when_what_started_it_is_killed(tmp_path: Path, through_a_shell: bool) -> None:
    pid_file = tmp_path / "pid"
    child = tmp_path / "child.py"
    child.write_text(CHILD.format(root=str(ROOT), pid=str(pid_file)))
    command = f"'{sys.executable}' '{child}'; true" if through_a_shell else [sys.executable, str(child)]
    parent = tmp_path / "parent.py"
    parent.write_text(
        f"import subprocess\nsubprocess.run({command!r}, shell={through_a_shell})\n", encoding="utf-8"
    )
    with subprocess.Popen([sys.executable, str(parent)]) as outer:
        stage = started(pid_file)
        outer.kill()
    assert gone(stage), "the stage outlived the process that started it"


def test_two_runs_of_one_stage_do_not_write_together(tmp_path: Path) -> None:
    with stage_lock(tmp_path, "detect"), stage_lock(tmp_path, "segment"):
        code = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "from pathlib import Path\nfrom pipeline.runtime.process import stage_lock\n"
            f"with stage_lock(Path({str(tmp_path)!r}), 'detect'): pass\n"
        )
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert other.returncode != 0
        assert "another run of stage `detect`" in other.stderr
    with stage_lock(tmp_path, "detect"):
        pass


def test_the_lock_is_not_reentrant_by_accident(tmp_path: Path) -> None:
    with (
        stage_lock(tmp_path, "detect"),
        pytest.raises(UserError, match="another run"),
        stage_lock(tmp_path, "detect"),
    ):
        pass


def test_worker_count() -> None:
    assert worker_count(3) == 3
    assert worker_count(None) >= 1
