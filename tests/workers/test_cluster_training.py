"""`train.processes` on two nodes that share nothing gives the scores of one process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fixtures.cluster_training import assert_same_scores, train_alone, train_on
from tests.fixtures.ray_nodes import head_and_nodes, why_not

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)


def test_scores_are_those_of_one_process(project: Path, tmp_path: Path) -> None:
    """After one that was refused, whose CPUs are free again at once."""
    alone = train_alone(4)
    shutil.rmtree("build/model")
    with head_and_nodes(tmp_path / "nodes", project) as nodes:
        other = "site.versions_of = lambda names: dict.fromkeys(names, '0')"
        refused = train_on(nodes, project, change=other)
        _, said = refused.communicate(timeout=120)
        assert refused.returncode == 1, said
        assert "other versions of packages" in said
        assert said.count("make setup EXTRAS=cluster") == 1
        assert "Traceback" not in said
        process = train_on(nodes, project)
        _, said = process.communicate(timeout=250)
    assert process.returncode == 0, said
    assert said.count("epoch 4/4") == 1
    assert "reserved" not in said
    assert_same_scores(alone)


def test_trainings_at_once_share_the_cluster(project: Path, tmp_path: Path) -> None:
    """Or the second would wait for the end of the first: of two CPUs each would take both."""
    train_alone(1)
    shutil.rmtree("build/model")
    with head_and_nodes(tmp_path / "nodes", project) as nodes:
        process = train_on(nodes, project, CLEANPLATE_JOBS="2")
        _, said = process.communicate(timeout=250)
    assert process.returncode == 0, said
    assert "one process of 1 CPUs" in said
    assert "on cpu, 1 threads" in said
