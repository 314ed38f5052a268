"""Processes of this machine: they never outlive who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.reliability.repository import at_work

KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pipeline.params.machine import Machine
from pipeline.workers.run import run_parallel
from tests.workers.test_engines import square


class Trap(list):
    def __getitem__(self, part):
        if part.start:  # the workers were started for the first part, and are importing
            os.kill(os.getpid(), signal.SIGKILL)
        return list(self)[part]


if __name__ == "__main__":
    list(run_parallel(square, Trap(range(40)), machine=Machine(workers=2), chunk=4))
"""


def test_workers_end_whose_parent_was_killed_while_they_started(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(KILLED.format(root=str(ROOT)))
    environment = {k: v for k, v in os.environ.items() if k != "DVC_ROOT"}
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    end = time.monotonic() + 30  # they end when their imports do
    while (left := at_work(tmp_path)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
import this_takes_long
from pipeline.params.machine import Machine
from pipeline.workers.run import run_parallel
from work import loaded

if __name__ == "__main__":
    print(list(run_parallel(loaded, ["this_takes_long", "work"], machine=Machine(workers=2), chunk=1)))
"""
WORK = """
import sys

def loaded():
    return lambda name: name in sys.modules
"""


def test_workers_do_not_import_the_script_that_needs_them(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(SCRIPT.format(root=str(ROOT)))
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "this_takes_long.py").write_text("")
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[False, True]\n"
