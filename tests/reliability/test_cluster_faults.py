"""Faults of a cluster in the middle of each stage: `make soak`; the short form is test_cluster.py.

Nodes that share nothing. Afterwards the outputs are those of a run without a cluster, or there is a
sentence and nothing half-written, and `machine.engine: local` goes on from the cache.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.workers.cluster.connection import WATCH
from tests.fixtures.cluster_project import (
    STAGES,
    digests,
    forget,
    make_cluster_project,
    run_stages,
    set_params,
)
from tests.fixtures.ray_nodes import Nodes, head_and_nodes, hidden, left_within_10_s, why_not
from tests.reliability.soak import SOAK

if not SOAK:
    pytest.skip("long: make soak", allow_module_level=True)
if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

Fault = Callable[[Nodes, str, list[Path]], None]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, run to its end without a cluster."""
    folder = make_cluster_project(tmp_path_factory.mktemp("faults") / "project", people=60)
    run_stages(folder, *STAGES)
    return folder


@pytest.fixture
def nodes(project: Path, tmp_path: Path) -> Iterator[Nodes]:
    """A head that does no work, and two nodes that see nothing of the project."""
    with head_and_nodes(tmp_path / "nodes", project, count=2, cpus=0) as cluster:
        yield cluster


def killed_node(nodes: Nodes, name: str, hides: list[Path]) -> None:
    nodes.kill(name)


def killed_worker(nodes: Nodes, name: str, hides: list[Path]) -> None:
    """As the kernel does for want of memory."""
    for worker in nodes.workers(name):
        worker.send_signal(signal.SIGKILL)


def cut_for_30_s(nodes: Nodes, name: str, hides: list[Path]) -> None:
    nodes.cut(name)
    threading.Timer(30, nodes.mend, [name]).start()


def cut_for_ever(nodes: Nodes, name: str, hides: list[Path]) -> None:
    nodes.cut(name)


def one_dies_another_joins(nodes: Nodes, name: str, hides: list[Path]) -> None:
    nodes.kill(name)
    nodes.add(hides)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stage", ["detect", "segment", "compose"])
@pytest.mark.parametrize(
    "fault", [killed_node, killed_worker, cut_for_30_s, cut_for_ever, one_dies_another_joins]
)
def test_the_outputs_are_those_of_a_run_without_a_cluster(
    nodes: Nodes, project: Path, stage: str, fault: Fault
) -> None:
    wanted = digests(project)
    process, name = at_work(nodes, project, stage)
    fault(nodes, name, hidden(project))
    _, said = process.communicate(timeout=500)
    assert process.returncode == 0, said
    assert digests(project) == wanted
    if fault is cut_for_ever:
        nodes.mend(name)  # nobody can tell its worker before
    assert not left_within_10_s(nodes)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stage", ["detect", "segment", "compose"])
def test_the_stage_is_killed_and_run_again(nodes: Nodes, project: Path, stage: str) -> None:
    wanted = digests(project)
    process, _ = at_work(nodes, project, stage)
    process.kill()
    process.communicate(timeout=60)
    assert not left_within_10_s(nodes)
    run_stages(project, stage, nodes=nodes)
    assert digests(project) == wanted


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stage", ["detect", "segment", "compose"])
def test_the_cluster_is_gone(nodes: Nodes, project: Path, stage: str) -> None:
    """One sentence, the old outputs untouched, and on this machine alone it goes on."""
    wanted = digests(project)
    process, _ = at_work(nodes, project, stage)
    # our process beside it, too: it is on this machine, and says what Ray gave the other no time to say
    beside = [p for p in psutil.Process(process.pid).children() if WATCH in p.cmdline()]
    spared = {process.pid, *(p.pid for p in beside)}
    for name in nodes.names:
        for other in nodes.processes(name):
            if other.pid not in spared:
                other.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert "the Ray cluster is gone" in said or "its node is gone" in said
    assert "Traceback" not in said
    assert digests(project) == wanted
    set_params(project)
    run_stages(project, stage)
    assert digests(project) == wanted


def at_work(nodes: Nodes, project: Path, stage: str) -> tuple[subprocess.Popen[str], str]:
    """The stage, nothing cached, as soon as a worker is at a task, and the name of its node."""
    forget(project, cache_only=True)
    set_params(project, machine__engine="ray", machine__address=nodes.address, machine__workers=None)
    process = nodes.start([sys.executable, "-m", f"stages.{stage}"], project, OMP_NUM_THREADS="1")
    end = time.monotonic() + 120
    while not (names := [name for name in nodes.names if is_at_task(nodes, name)]):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)
    return process, names[0]


def is_at_task(nodes: Nodes, name: str) -> bool:
    return any("PhotoWorker.work" in " ".join(worker.cmdline()) for worker in nodes.workers(name))
