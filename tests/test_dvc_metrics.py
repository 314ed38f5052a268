"""What `dvc metrics` and `dvc exp show` print of the demo's numbers: few, and within a screen."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.io.atomic import write_json, write_report
from pipeline.params.loading import parse_yaml
from tests.conftest import ROOT

MOST = 16
SCORE = {"value": 0.6214285714285714, "low": 0.41421356237309515, "high": 0.7401234567890123}
REPORTS: dict[str, dict[str, Any]] = {  # the metrics of each stage, as long as they get
    "detect": {"without_box": 2345},
    "segment": {"empty_mattes": 1234, "iou": 0.9512345678901234},
    "reliance": {"flip_rate": 0.1234567890123456},
    "audit": {"suspects": 1234},
}


def write_reports(folder: Path, change: float) -> None:
    tasks = {task: {"macro_f1": {"value": SCORE["value"] + change}} for task in ("mask", "gender", "age")}
    whole = {"macro_f1": {k: v + change for k, v in SCORE.items()}, "accuracy": {"value": 0.7 + change}}
    write_json(folder / "metrics.json", {**whole, **tasks, "people": 2250, "photos": 15750})
    for name, metrics in REPORTS.items():
        changed = {
            key: value + (round(1000 * change) if isinstance(value, int) else change)
            for key, value in metrics.items()
        }
        write_report(folder / f"{name}.json", changed, {"many": {"numbers": [1, 2], "more": 3.5}})


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real dvc.yaml over the metrics of two variants, the first one committed."""
    folder = tmp_path_factory.mktemp("metrics")
    stages = parse_yaml((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    files = [file for stage in stages.values() for file in stage.get("metrics", [])]
    assert sorted(files) == sorted(f"reports/{n}.json" for n in ("metrics", *REPORTS))
    (folder / "dvc.yaml").write_text("metrics:\n" + "".join(f"  - {file}\n" for file in files))
    shutil.copy(ROOT / "params.yaml", folder)
    write_reports(folder / "reports", 0.0)
    run(folder, "git", "init", "-q")
    run(folder, sys.executable, "-m", "dvc", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "first")
    write_reports(folder / "reports", -0.00123456789)
    return folder


def test_few_numbers_are_metrics(repository: Path) -> None:
    shown = json.loads(run(repository, sys.executable, "-m", "dvc", "metrics", "show", "--json"))

    def count(value: Any) -> int:
        return sum(map(count, value.values())) if isinstance(value, dict) else 1

    found = sum(count(file["data"]) for file in shown[""]["data"].values())
    assert 10 <= found <= MOST


def test_the_difference_of_two_variants_fits_a_screen(repository: Path) -> None:
    printed = run(repository, sys.executable, "-m", "dvc", "metrics", "diff").splitlines()
    assert len(printed) <= MOST + 2
    assert max(map(len, printed)) <= 80, "\n".join(printed)
    assert any("macro_f1.value" in line for line in printed)


def test_experiments_fit_a_wide_terminal(repository: Path) -> None:
    """A row for the workspace and one for HEAD, every metric, and only the params that differ."""
    command = (sys.executable, "-m", "dvc", "exp", "show", "--only-changed", "--csv")
    names = run(repository, *command).splitlines()[0].split(",")
    assert len(names) <= MOST + 10
    assert sum(len(name) + 3 for name in names) <= 400, names
