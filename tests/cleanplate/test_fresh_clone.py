"""A clone in which only some stages were run: its dvc.lock names outputs that nobody there ever had."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cleanplate.integrity.dvc_records import absent_outputs
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from tests.conftest import ROOT
from tests.fixtures.experiments import cleanplate, commit_all, dvc, init_repository, make_project, run

STAGES = ("train", "evaluate", "reliance", "explore")  # all that have plots, and others
MAKE = """
import json, pathlib, sys
seed = open("params.yaml").read()
for place in sys.argv[1:]:
    path = pathlib.Path(place)
    if path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"value": len(seed), "of": place}))
    else:
        path.mkdir(parents=True, exist_ok=True)
        for name in ("images.parquet", "class.csv", "step.tsv"):
            (path / name).write_text(seed)
"""


def hollow(stage: dict[str, Any]) -> dict[str, Any]:
    """The stage with its outputs, plots and metrics, but another command."""
    kinds = {kind: stage[kind] for kind in ("outs", "metrics", "plots") if kind in stage}
    made = [o if isinstance(o, str) else next(iter(o)) for outs in kinds.values() for o in outs]
    deps = [d for d in stage.get("deps", []) if d == "build/model"]
    return {"cmd": f"python3 make.py {' '.join(made)}", "deps": deps, "params": ["seed"], **kinds}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own graph with stages of no work; `evaluate` was run, dvc.lock names all outputs."""
    folder = tmp_path_factory.mktemp("clone")
    init_repository(folder)
    graph = parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    graph["stages"] = {name: hollow(graph["stages"][name]) for name in STAGES}
    (folder / "dvc.yaml").write_text(yaml_text(graph))
    (folder / "params.yaml").write_text("seed: 1\n")
    (folder / "make.py").write_text(MAKE)
    dvc(folder, "repro", "-q")
    commit_all(folder, "everything was run, elsewhere")
    for place in (".dvc/cache", ".dvc/tmp", "build", "reports"):
        shutil.rmtree(folder / place)
    (folder / "params.yaml").write_text("seed: 20\n")
    dvc(folder, "repro", "-q", "evaluate")
    commit_all(folder, "own photos, and what is needed of them")
    return folder


@pytest.mark.parametrize("way", [(), ("--temp",)], ids=["in the workspace", "in a copy"])
def test_an_experiment_of_some_stages_runs(clone: Path, way: tuple[str, ...]) -> None:
    name = "copy" if way else "here"
    dvc(clone, "exp", "run", "-q", *way, "-n", name, "-S", f"seed={len(way)}00", "evaluate")
    assert name in dvc(clone, "exp", "list", "--name-only").split()
    run(clone, "git", "checkout", "-q", ".")
    assert name in dvc(clone, "exp", "show", "--csv")
    changed = json.loads(dvc(clone, "metrics", "diff", "HEAD", name, "--json"))
    assert changed["reports/metrics.json"]["value"]["diff"] != 0


def test_what_was_made_elsewhere_is_told(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    told = absent_outputs(Path())
    assert "of explore, reliance that are not on this machine; experiments run without them" in told
    dvc(clone, "repro", "-q")
    assert absent_outputs(Path()) == ""


def test_a_sweep_needs_no_output_that_was_made_elsewhere(tmp_path: Path) -> None:
    """Its second experiment restores from the run cache a folder, and a stage that reads a file of it."""
    make_project(tmp_path)
    graph = parse_yaml((tmp_path / "dvc.yaml").read_text())
    graph["stages"]["ingest"] = {
        "cmd": "python3 make.py build/index.json",
        "deps": ["make.py"],
        "outs": ["build/index.json"],
    }
    graph["stages"]["compose"] = {
        "cmd": "python3 make.py build/images",
        "deps": ["build/index.json"],
        "params": ["data"],
        "outs": ["build/images"],
    }
    graph["stages"]["synthesize"] = {
        "cmd": "python3 make.py build/synthetic",
        "deps": ["build/images/images.parquet"],
        "outs": ["build/synthetic"],
    }
    graph["stages"]["evaluate"]["deps"].append("build/synthetic")
    (tmp_path / "dvc.yaml").write_text(yaml_text(graph))
    (tmp_path / "make.py").write_text(MAKE.replace(".read()", ".read().partition('train')[0]"))
    dvc(tmp_path, "repro", "-q")
    params = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(params.replace("root: photos", "root: own"))
    (tmp_path / "photos").rename(tmp_path / "own")
    commit_all(tmp_path, "run elsewhere; own photos")
    for place in (".dvc/cache", "build", "reports"):
        shutil.rmtree(tmp_path / place)
    sweep = "stages: [evaluate]\nvariants: {a: {train.weight_decay: 0.9}, b: {train.weight_decay: 0.8}}\n"
    (tmp_path / "s.yaml").write_text(sweep)
    ran = cleanplate(tmp_path, "sweep", "s.yaml", "--run", "--json")
    assert ran.exit_code == 0, ran.stderr
    assert {"s-a", "s-b", "s-base"} <= set(dvc(tmp_path, "exp", "list", "--name-only").split())
