"""`train.processes` on two nodes that share nothing gives the scores of one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.cluster_training import assert_same_scores, train_alone, train_on
from tests.fixtures.ray_nodes import Nodes, hidden, why_not

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)


def test_scores_are_those_of_one_process(project: Path, tmp_path: Path) -> None:
    alone = train_alone(4)
    nodes = Nodes(tmp_path / "nodes")
    try:
        nodes.add(hidden(project))
        nodes.wait(2)
        process = train_on(nodes, project)
        _, said = process.communicate(timeout=250)
    finally:
        nodes.close()
    assert process.returncode == 0, said
    assert said.count("epoch 4/4") == 1
    assert_same_scores(alone)
