"""The cluster that the engine `ray` starts by itself: reached from here alone, gone with its starter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from pipeline.runtime.process import worker_count
from tests.conftest import ROOT

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: make setup EXTRAS=cluster"
)

DASHBOARD = 8265  # Ray's port for it
LISTENING = """
import json, os, sys, time
import psutil
from pipeline.params.machine import Machine
from pipeline.workers.run import run_parallel
from tests.workers.test_engines import square

if __name__ == "__main__":
    results = run_parallel(square, range(500), machine=Machine(engine="ray", workers=1), chunk=1)
    next(results)
    own = psutil.Process()
    family = [own, *own.children(recursive=True)]
    places = [c.laddr for p in family for c in p.net_connections("tcp") if c.status == "LISTEN"]
    words = [" ".join(p.cmdline()) for p in family]
    pids, token, mode = [p.pid for p in family], os.environ["RAY_AUTH_TOKEN"], os.environ["RAY_AUTH_MODE"]
    print(json.dumps([places, words, pids, token, mode]), flush=True)
    if sys.argv[1] == "stay":
        time.sleep(600)
"""

SHARE = """
from pipeline.params.machine import Machine
from pipeline.workers.run import run_parallel
from tests.workers.test_engines import square

if __name__ == "__main__":
    list(run_parallel(square, range(50), machine=Machine(engine="ray"), chunk=1))
"""


def started(folder: Path, what: str) -> subprocess.Popen[str]:
    (folder / "main.py").write_text(LISTENING)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    return subprocess.Popen(
        [sys.executable, "main.py", what],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_ray
def test_its_cpus_are_the_experiment_s_share_already(tmp_path: Path) -> None:
    """Experiments that run at once would else divide the CPUs twice."""
    (tmp_path / "main.py").write_text(SHARE)
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "CLEANPLATE_JOBS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"the first of {worker_count(None)} workers is ready" in done.stderr


@needs_ray
@pytest.mark.parametrize("what", ["end", "stay"])
def test_it_listens_here_alone_and_ends_with_who_started_it(tmp_path: Path, what: str) -> None:
    """`stay` is killed with -9; Ray's two agents, which run no code of ours, then end a minute later."""
    process = started(tmp_path, what)
    assert process.stdout is not None
    places, words, pids, token, mode = json.loads(process.stdout.readline())
    if what == "stay":
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert len(places) >= 3
    assert {host.removeprefix("::ffff:") for host, _ in places} <= {"127.0.0.1", "::1"}
    assert DASHBOARD not in {port for _, port in places}
    (api_server,) = (line for line in words if "dashboard/dashboard.py" in line)
    assert "--disable-frontend" in api_server, "with Ray's own pages installed too, it would serve them"
    assert mode == "token"
    assert len(token) >= 32
    assert not any(token in line for line in words), "every user of the machine sees command lines"
    assert any("gcs_server" in line for line in words)
    assert not any("usage_stats_head" in line for line in words)
    agents = {p for p, line in zip(pids, words, strict=True) if line.split()[0].endswith("Agent")}
    ours = set(pids) - (agents if what == "stay" else set())
    end = time.monotonic() + 10
    while (left := [p for p in ours if _lives(p)]) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in filter(_lives, agents):
        os.kill(pid, signal.SIGKILL)
    assert not left


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


ENDS = """
import os, sys
from pipeline.params.machine import Machine
from pipeline.workers.run import run_parallel
from tests.workers.test_engines import square

if __name__ == "__main__":
    assert list(run_parallel(square, range(3), machine=Machine(engine="ray", workers=1))) == [0, 1, 4]
    if sys.argv[1] == "at once":  # as Ray ends a process whose node is gone
        os._exit(1)
"""


@needs_ray
@pytest.mark.parametrize("how", ["at once", "as usual"])
def test_a_process_that_ray_ends_leaves_a_sentence(tmp_path: Path, how: str) -> None:
    (tmp_path / "main.py").write_text(ENDS)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "main.py", how],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode == 1) == (how == "at once"), done.stderr
    assert ("Ray ended it because its node is gone" in done.stderr) == (how == "at once")


def test_without_ray_the_command_that_brings_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.params.machine import Machine
    from pipeline.runtime.errors import UserError
    from pipeline.workers.run import run_parallel
    from tests.workers.test_engines import square

    monkeypatch.setattr("pipeline.workers.cluster.connection.find_spec", lambda name: None)
    with pytest.raises(UserError, match="make setup EXTRAS=cluster"):
        list(run_parallel(square, range(3), machine=Machine(engine="ray")))
