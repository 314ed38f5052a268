"""`cleanplate sweep --run --jobs 2` over a cluster gives what it gives on one machine: `make soak`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from cleanplate.experiments.git import experiments, git_bytes
from pipeline.params.loading import parse_yaml
from tests.conftest import ROOT
from tests.fixtures.cluster_project import make_cluster_project, set_params
from tests.fixtures.ray_nodes import Nodes, head_and_nodes, left_within_10_s, why_not
from tests.reliability import repository
from tests.reliability.soak import SOAK

if not SOAK:
    pytest.skip("long: make soak", allow_module_level=True)
if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

STAGES = ("ingest", "relabel", "split", "detect", "faces", "fit_segmenter", "segment", "compose")
STAGES += ("synthesize", "plates", "train", "evaluate")
NO_PHOTOS = "data/segmenter"  # to fit a U-Net to
SWEEP = """
stages: [evaluate]
variants:
  focal: {train.loss: focal}
  black: {compose.fill: black}
"""
LEARN: dict[str, Any] = {
    "fit_segmenter__photos": f"{NO_PHOTOS}/photos",
    "fit_segmenter__mattes": f"{NO_PHOTOS}/mattes",
}
LEARN |= {"train__epochs": 2, "train__batch_size": 32, "synthesize__copies": 0, "split__folds": 2}


def recorded(folder: Path) -> dict[str, dict[str, Any]]:
    """Of each experiment the md5 of every output, by path."""
    found: dict[str, dict[str, Any]] = {}
    with chdir(folder):
        for (_, name), commit in experiments().items():
            lock = parse_yaml((git_bytes(commit, "dvc.lock") or b"").decode())
            outs = [out for stage in lock["stages"].values() for out in stage["outs"]]
            found[name] = {out["path"]: out["md5"] for out in outs}
    return found


def sweep(folder: Path, nodes: Nodes | None) -> subprocess.CompletedProcess[str]:
    """The sweep, on this machine or on the head of a cluster."""
    command = repository.cleanplate("sweep", "s.yaml", "--run", "--jobs", "2", "--json")
    if nodes:
        return nodes.run(command, folder, timeout=500, OMP_NUM_THREADS="1", DVC_NO_ANALYTICS="1")
    return subprocess.run(
        command, cwd=folder, env=repository.environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.timeout(900)
def test_experiments_on_nodes_give_what_they_give_here(tmp_path: Path) -> None:
    here = make_cluster_project(tmp_path / "here")
    (here / "s.yaml").write_text(SWEEP, encoding="utf-8")
    set_params(here, **LEARN)
    shutil.copytree(ROOT / NO_PHOTOS, here / NO_PHOTOS)
    repository.add_code(here, STAGES, ("/photos/",))
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "photos"], cwd=here, check=True)
    for command in (("add", "-A"), ("commit", "-qm", "photos")):
        assert repository.run(here, "git", *command)[0] == 0
    there = repository.copied(here, tmp_path / "there")
    done = sweep(here, None)
    assert done.returncode == 0, done.stderr
    with head_and_nodes(tmp_path / "nodes", there, count=2, cpus=0) as nodes:  # the nodes do it all
        set_params(there, machine__engine="ray", machine__address=nodes.address, **LEARN)
        done = sweep(there, nodes)
        assert done.returncode == 0, done.stderr
        assert not left_within_10_s(nodes)
        logs = [p.read_text() for p in sorted((there / ".cache/sweeps/logs").glob("*.log"))]
    assert len(logs) == 3
    trained = [next(line for line in log.splitlines() if "trains on" in line) for log in logs]
    assert {line.rsplit(" ", 1)[1] for line in trained} <= {nodes.host(1), nodes.host(2)}
    assert recorded(there) == recorded(here)
    assert {"reports/predictions.parquet", "build/model"} <= recorded(here)["s-focal"].keys()
