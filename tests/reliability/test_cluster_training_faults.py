"""Faults of a cluster while `train.processes` learn on it: `make soak`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.cluster_training import assert_same_scores, read_to, train_alone, train_on
from tests.fixtures.ray_nodes import Nodes, head_and_nodes, why_not
from tests.reliability.soak import SOAK

if not SOAK:
    pytest.skip("long: make soak", allow_module_level=True)
if reason := why_not():
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def nodes(project: Path, tmp_path: Path) -> Iterator[Nodes]:
    """A head with a core, and a node that sees nothing of the project."""
    with head_and_nodes(tmp_path / "nodes", project) as cluster:
        yield cluster


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", ["killed", "cut off"])
def test_a_lost_node_costs_an_epoch_at_most(nodes: Nodes, project: Path, fault: str) -> None:
    alone = train_alone(40)
    process = train_on(nodes, project)
    read_to(process, "epoch 2/40")
    lose = nodes.kill if fault == "killed" else nodes.cut
    lose(nodes.names[1])
    read_to(process, "resumes after epoch")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert_same_scores(alone)


@pytest.mark.timeout(600)
def test_a_killed_training_resumes_where_it_was(nodes: Nodes, project: Path) -> None:
    alone = train_alone(40)
    process = train_on(nodes, project)
    read_to(process, "epoch 3/40")
    process.kill()
    process.communicate(timeout=60)
    assert_resumes(nodes, project)
    assert_same_scores(alone)


@pytest.mark.timeout(600)
def test_an_interrupted_training_leaves_its_cpus_to_the_next(nodes: Nodes, project: Path) -> None:
    alone = train_alone(40)
    process = train_on(nodes, project)
    read_to(process, "epoch 3/40")
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    said = assert_resumes(nodes, project)
    assert "reserved" not in said
    assert_same_scores(alone)


@pytest.mark.timeout(600)
def test_the_cluster_is_gone_in_the_middle(nodes: Nodes, project: Path) -> None:
    """One sentence; without it the training then resumes."""
    train_alone(40)
    process = train_on(nodes, project)
    read_to(process, "epoch 2/40")
    for name in nodes.names:
        for other in nodes.processes(name):
            if other.pid != process.pid:
                other.kill()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "the Ray cluster is gone" in said
    assert "Traceback" not in said
    assert_resumes(nodes, project, engine="local")


def assert_resumes(nodes: Nodes, project: Path, engine: str = "ray") -> str:
    """Runs it again, to its end; returns what it said."""
    again = train_on(nodes, project, engine=engine)
    _, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert "resumes after epoch" in said
    assert "epoch 1/40" not in said
    return said
