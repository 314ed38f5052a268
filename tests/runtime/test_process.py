"""Being one process among others, for real: real processes, real kill -9."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.runtime.errors import UserError
from pipeline.runtime.process import WATCH_SECONDS, configure_threads, stage_lock, worker_count

ROOT = Path(__file__).parents[2]
CHILD = """
import os, pathlib, sys, time
sys.path.insert(0, {root!r})
from pipeline.runtime.process import {watch}
{watch}()
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


def outlived(tmp_path: Path, watch: str, starter: str, **environment: str) -> bool:
    """Whether a process that calls `watch` outlives the killed Python whose code `starter` starts `child`."""
    pid_file = tmp_path / "pid"
    (tmp_path / "child.py").write_text(CHILD.format(root=str(ROOT), watch=watch, pid=str(pid_file)))
    parent = tmp_path / "parent.py"
    child = f"child = [{sys.executable!r}, {str(tmp_path / 'child.py')!r}]\n"
    parent.write_text(f"import os, subprocess, shlex\n{child}{starter}\n", encoding="utf-8")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")} | environment
    with subprocess.Popen([sys.executable, str(parent)], env=clean) as outer:
        stage = started(pid_file)
        outer.kill()
    if gone(stage):
        return False
    stage.kill()
    return True


DVC_STARTS = "os.environ |= {'DVC_ROOT': '.', 'DVC_STAGE': 'train'}\n"


@pytest.mark.parametrize(
    "starter",
    [
        "subprocess.run(child)",
        "subprocess.run(shlex.join(child) + '; true', shell=True)",
        "subprocess.run(['bash', '--noprofile', '--norc', '-c', shlex.join(child)])",
    ],
)
def test_a_stage_dies_with_the_dvc_that_started_it(tmp_path: Path, starter: str) -> None:
    """DVC gives its name to the stage, and does not have it itself."""
    assert not outlived(tmp_path, "die_with_dvc", DVC_STARTS + starter)


def test_a_worker_dies_with_its_stage(tmp_path: Path) -> None:
    assert not outlived(tmp_path, "die_with_parent", "subprocess.run(child)")


def test_a_stage_that_nobody_but_a_person_started_lives_on(tmp_path: Path) -> None:
    assert outlived(tmp_path, "die_with_dvc", "subprocess.run(child)", DVC_ROOT=".")


DETACHED = {
    "nohup": "nohup {python} -m stages.slow > out 2>&1 &",
    "disown": "{python} -m stages.slow > out 2>&1 & disown",
    "setsid": "setsid {python} -m stages.slow > out 2>&1 &",
    "subshell": "(nohup sh -c '{python} -m stages.slow' > out 2>&1 &)",
}
SLOW = """
import pathlib, time
from stages.shared.command import stage_command

def run(stage):
    pathlib.Path("began").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    pathlib.Path("ended").touch()

if __name__ == "__main__":
    stage_command("slow", run, "")
"""


@pytest.mark.parametrize(
    ("how", "by_hand"),
    [*((how, {"DVC_ROOT": "."}) for how in DETACHED), ("disown", {"DVC_ROOT": ".", "DVC_STAGE": "train"})],
)
def test_a_stage_outlives_the_shell_that_a_person_leaves(
    project: Path, how: str, by_hand: dict[str, str]
) -> None:
    """Also where a `.env` exports by hand what DVC says to its stages."""
    for name in ("pipeline", "stages"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "stages/slow.py").write_text(SLOW, encoding="utf-8")
    exports = "".join(f"export {k}={v}; " for k, v in by_hand.items())
    line = f"{exports}{DETACHED[how]}\nwhile [ ! -e began ]; do sleep 0.05; done".format(
        python=sys.executable
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")}
    subprocess.run(["bash", "-c", line], cwd=project, env=clean, check=True, timeout=60)
    time.sleep(3 * WATCH_SECONDS)  # what watches would have seen it by now
    (project / "go").touch()
    assert appears(project / "ended"), (project / "out").read_text()


def appears(path: Path) -> bool:
    """Whether `path` is there within some seconds."""
    end = time.monotonic() + 20
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return path.exists()


def test_two_runs_of_one_stage_do_not_write_together(tmp_path: Path) -> None:
    with stage_lock(tmp_path, "detect"), stage_lock(tmp_path, "segment"):
        code = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "from pathlib import Path\nfrom pipeline.runtime.process import stage_lock\n"
            f"with stage_lock(Path({str(tmp_path)!r}), 'detect'): pass\n"
        )
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert other.returncode != 0
        assert "stage `detect` is already running" in other.stderr
    with stage_lock(tmp_path, "detect"):
        pass


def test_the_lock_is_not_reentrant_by_accident(tmp_path: Path) -> None:
    with (
        stage_lock(tmp_path, "detect"),
        pytest.raises(UserError, match="already running"),
        stage_lock(tmp_path, "detect"),
    ):
        pass


def test_worker_count() -> None:
    assert worker_count(3) == 3
    assert worker_count(None) >= 1


def test_one_of_several_experiments_keeps_to_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEANPLATE_CPUS", "1")
    assert (worker_count(None), worker_count(3)) == (1, 1)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    configure_threads()
    assert os.environ["OMP_NUM_THREADS"] == "1"
