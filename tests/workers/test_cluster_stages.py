"""Stages on a cluster of two nodes that share nothing write the same bytes as on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.cluster_project import digests, forget, make_cluster_project, run_stages, set_params
from tests.fixtures.ray_nodes import Nodes, head_and_nodes, left_within_10_s, why_not
from tests.fixtures.shards import pack_folders

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

HERE = ("relabel", "split")  # labels are no work for a cluster
STAGES = ("ingest", *HERE, "detect", "segment", "compose", "synthesize", "train", "evaluate", "predict")
LEARNT = {"train__epochs": 1, "train__batch_size": 32}
SWAP = {"compose__fill": "keep", "train__background_swap": 0.5}  # what `plates` is for


def run_all(project: Path, nodes: Nodes | None = None, **machine: Any) -> str:
    """Runs the stages, and `plates`; returns what they said."""
    set_params(project, **LEARNT, **machine)
    said = run_stages(project, *STAGES, nodes=nodes)
    set_params(project, **SWAP, **machine)
    return said + run_stages(project, "plates", nodes=nodes)


def test_stages_write_the_same_bytes_as_here(tmp_path: Path) -> None:
    project = make_cluster_project(tmp_path / "project")
    run_all(project)
    wanted = digests(project)
    forget(project)
    with head_and_nodes(tmp_path / "nodes", project, cpus=0) as nodes:  # the other node does it all
        cluster = {"machine__engine": "ray", "machine__address": nodes.address, "machine__workers": None}
        said = run_all(project, nodes, **cluster)
        assert not left_within_10_s(nodes)
        assert digests(project) == wanted
        forget(project)
        pack_folders(project / "photos", project / "packed")
        shutil.rmtree(project / "photos")
        of_shards = run_all(project, nodes, data__root="packed", data__layout="shards", **cluster)
    found = digests(project)
    assert {name for name in wanted if found.get(name) != wanted[name]} == {"build/photos.parquet"}
    assert of_shards.count("work by node") == said.count("work by node")
    assert {name.split("/")[1] for name in wanted} >= {"mattes", "images", "synthetic", "plates"}
    by_node = len(STAGES) + 1 - len(HERE) - 1  # `plates`, too; a training says so in another way
    assert said.count(f"work by node: {nodes.host(1)} (files travel)") == by_node
    assert "ray: one process of 1 CPUs" in said
