"""What git ignores and what it keeps, and DVC's settings."""

from __future__ import annotations

import configparser
import subprocess

import pytest

from pipeline.params.loading import parse_yaml
from tests.conftest import ROOT


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs git in the checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "path",
    [
        "build/index.parquet",
        "build/images/train/images/a/mask1.jpg",
        "build/live/plots/metrics/loss.tsv",
        "reports/metrics.json",
        "quick/build/index.parquet",
        "demo/data/train/train.csv",
        "demo/truth/labels.csv",
        "demo/mattes/a.png",
        "weights/yolov8n.pt",
        "yolov8n.pt",
        ".cache/items/ab/cd",
        ".venv/bin/python",
        ".dvc/tmp/lock",
        ".dvc/cache/files/md5/00",
        "pipeline/__pycache__/labels.cpython-311.pyc",
    ],
)
def test_outputs_are_ignored_by_git(path: str) -> None:
    assert git("check-ignore", "-q", "--no-index", path).returncode == 0


@pytest.mark.parametrize(
    "path",
    [
        "data/corrections.csv",
        "data/reviewed.csv",
        "data/folds.csv",
        "dvc.lock",
        "dvc.yaml",
        "demo/dvc.yaml",
        "demo/dvc.lock",
        "params.yaml",
        "weights.lock",
        "requirements.lock",
        ".dvc/config",
        ".ci/run",
        "docs/stages.png",
    ],
)
def test_sources_are_not_ignored_by_git(path: str) -> None:
    assert git("check-ignore", "-q", "--no-index", path).returncode == 1


def test_every_output_of_every_stage_is_ignored_by_git() -> None:
    """DVC would add a line to a .gitignore otherwise, and dirty the checkout."""
    files = [path for path in (ROOT / "dvc.yaml", ROOT / "demo" / "dvc.yaml") if path.exists()]
    assert files, "there is no dvc.yaml"
    for path in files:
        for name, stage in parse_yaml(path.read_text(encoding="utf-8"))["stages"].items():
            base = path.parent / stage.get("wdir", ".")
            for kind in ("outs", "metrics", "plots"):
                for out in stage.get(kind, []):
                    place = base / (out if isinstance(out, str) else next(iter(out)))
                    inside = str(place.resolve().relative_to(ROOT))
                    assert git("check-ignore", "-q", "--no-index", inside).returncode == 0, (name, inside)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cache.type", "hardlink,symlink,copy"),
        ("core.analytics", "false"),
        ("core.check_update", "false"),
    ],
)
def test_dvc_config(option: str, value: str) -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc" / "config", encoding="utf-8")
    section, _, name = option.partition(".")
    told = config[section][name].strip('"')
    assert told == value


def test_dvc_ignores_bytecode() -> None:
    assert "__pycache__" in (ROOT / ".dvcignore").read_text(encoding="utf-8").splitlines()
