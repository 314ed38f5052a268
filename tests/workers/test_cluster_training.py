"""`train.processes` on two nodes that share nothing: scores of one process, also when a node is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from tests.conftest import ROOT
from tests.fixtures.ray_nodes import Nodes, hidden, left_within_10_s, why_not
from tests.fixtures.small_set import small_params, write_build
from tests.fixtures.small_training import curve, trained

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

STAGE = (
    "from pathlib import Path; from stages.shared.command import run_stage; from stages.train import run; "
    "raise SystemExit(run_stage('train', run, Path('params.yaml')))"
)
CURVES = ("train/loss", "valid/macro_f1", "valid/age_macro_f1")


@pytest.fixture
def nodes(project: Path, tmp_path: Path) -> Iterator[Nodes]:
    """A head with a core, and a node that sees nothing of the project."""
    cluster = Nodes(tmp_path / "nodes")
    try:
        cluster.add(hidden(project))
        cluster.wait(2)
        yield cluster
    finally:
        cluster.close()


def train_alone(epochs: int) -> dict[str, list[float]]:
    """The curves of one process, without a cluster."""
    write_build()
    trained(small_params(epochs=epochs, augment="flip_affine_blur"))
    return {name: curve(name) for name in CURVES}


def start(nodes: Nodes, project: Path) -> subprocess.Popen[str]:
    """The same training in two processes of the cluster."""
    raw = parse_yaml((project / "params.yaml").read_text(encoding="utf-8"))
    raw["train"]["processes"] = 2
    raw["machine"] |= {"engine": "ray", "address": nodes.address}
    (project / "params.yaml").write_text(yaml_text(raw), encoding="utf-8")
    return nodes.start([sys.executable, "-c", STAGE], project, PYTHONPATH=str(ROOT))


def assert_same_scores(alone: dict[str, list[float]]) -> None:
    for name, values in alone.items():
        np.testing.assert_allclose(curve(name), values, atol=0.01, err_msg=name)


def test_scores_are_those_of_one_process(nodes: Nodes, project: Path) -> None:
    alone = train_alone(4)
    process = start(nodes, project)
    _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert "epoch 4/4" in said
    assert_same_scores(alone)
    assert not left_within_10_s(nodes)


def test_a_node_lost_in_the_middle_costs_an_epoch_at_most(nodes: Nodes, project: Path) -> None:
    alone = train_alone(60)
    process = start(nodes, project)
    assert process.stderr is not None
    lines = []
    while "epoch 2/60" not in (line := process.stderr.readline()):
        assert line, "".join(lines)
        lines.append(line)
    nodes.kill(nodes.names[1])
    said = "".join(lines) + process.stderr.read()
    assert process.wait(60) == 0, said
    assert "resumes after epoch" in said
    assert_same_scores(alone)
