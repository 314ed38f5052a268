"""A tiny DVC project whose one stage writes predictions: real experiments in a second each."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from stages.cli import app
from tests.conftest import ROOT

STAGE = """
import json, pathlib, sys
import numpy as np, pandas as pd, yaml
sys.path.insert(0, {root!r})
from tests import predictions
params = yaml.safe_load(open("params.yaml"))
skill = params["train"]["weight_decay"]
if params["train"]["seed"] == 666:
    sys.exit("this variant cannot be trained")
person, truth = predictions.people_and_truth(40, 7, 5)
answered = predictions.answers(truth, 7, skill, params["train"]["seed"], 3)
pathlib.Path("reports").mkdir(exist_ok=True)
predictions.table(person, truth, answered).to_parquet("reports/predictions.parquet")
"""

DVC_YAML = """stages:
  evaluate:
    cmd: python3 evaluate.py
    deps:
      - evaluate.py
    params:
      - train
    outs:
      - reports/predictions.parquet
"""


def make_project(folder: Path) -> None:
    """A git and DVC repository, run and committed; `train.weight_decay` is the share of right answers."""
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "config", "user.email", "someone@example.com")
    run(folder, "git", "config", "user.name", "someone")
    run(folder, sys.executable, "-m", "dvc", "init", "-q")
    (folder / ".dvc" / "config").write_bytes((ROOT / ".dvc" / "config").read_bytes())
    (folder / "evaluate.py").write_text(STAGE.format(root=str(ROOT)))
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text(
        "data:\n  root: photos\ntrain:\n  weight_decay: 0.6\n  seed: 1\n  loss: cross_entropy\n"
    )
    (folder / "photos").mkdir()
    (folder / "photos" / "photos.csv").write_text("image,person,gender,age,mask\n")
    (folder / ".gitignore").write_text("/reports/\n/.cache/\n")
    run(folder, sys.executable, "-m", "dvc", "repro", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "first")


def experiment(folder: Path, name: str, *overrides: str) -> None:
    """`dvc exp run --temp`."""
    options = [part for o in overrides for part in ("-S", o)]
    run(folder, sys.executable, "-m", "dvc", "exp", "run", "-q", "--temp", "-n", name, *options)


def run(folder: Path, *command: str) -> str:
    """Output of a command in `folder`; fails the test with what it wrote when it fails."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def cleanplate(folder: Path, *arguments: str) -> Result:
    """The command line of the project, in `folder`; what dvc itself prints goes to the real stderr."""
    with chdir(folder):
        return CliRunner().invoke(app, arguments, env={"MPLCONFIGDIR": str(folder / ".cache")})


def environment() -> dict[str, str]:
    """Without the settings of git hooks and with the stages' python first."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "DVC_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return kept | {"PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONWARNINGS": "ignore"}
