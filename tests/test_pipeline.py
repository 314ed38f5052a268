"""The whole pipeline under real DVC on real photos: MTCNN, YOLOv8 and the U-Net meet photographs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text

ROOT = Path(__file__).parent.parent
PEOPLE = 15
EVAL = 10


@pytest.fixture(scope="module")
def slice_of_photos(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some people of the real set in the competition's layout, and their true mattes beside it."""
    realset, place = test_data / "realset", tmp_path_factory.mktemp("slice")
    people = sorted(p.name for p in (realset / "train/images").iterdir())[:: 250 // PEOPLE][:PEOPLE]
    for person in people:
        shutil.copytree(realset / "train/images" / person, place / "photos/train/images" / person)
        mattes = place / "mattes/train/images" / person
        mattes.mkdir(parents=True)
        for matte in (realset / "truth/alpha").glob(f"{person}__*.png"):
            shutil.copy(matte, mattes / matte.name.split("__")[1])
    info = pd.read_csv(realset / "eval/info.csv").head(EVAL)
    (place / "photos/eval/images").mkdir(parents=True)
    for name in info["ImageID"]:
        shutil.copy(realset / "eval/images" / name, place / "photos/eval/images" / name)
    info.to_csv(place / "photos/eval/info.csv", index=False)
    return place


@pytest.fixture(scope="module")
def repository(slice_of_photos: Path, test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository's files in a new git and DVC repository, with params for a quick run on the slice."""
    place = tmp_path_factory.mktemp("repository")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.split(b"\0")
    for name in {os.fsdecode(f) for f in files if f}:
        if (
            (ROOT / name).is_file()
            and not name.startswith(("docs/", "tests/"))
            and not name.endswith("dvc.lock")
        ):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    path = place / "params.yaml"
    params = parse_yaml(path.read_text(encoding="utf-8"))
    params["data"]["root"] = str(slice_of_photos / "photos")
    params["detect"]["yolov8"]["weights"] = str(test_data.parent / "weights/yolov8n.pt")
    params["fit_segmenter"] |= {
        "photos": str(slice_of_photos / "photos"),
        "mattes": str(slice_of_photos / "mattes"),
        "epochs": 2,
        "size": 96,
    }
    params["split"] |= {"folds": 3}
    params["train"] |= {"epochs": 1, "size": 32}
    params["evaluate"]["bootstrap"] = 200
    params["reliance"] |= {"backgrounds_per_photo": 1, "max_people": 2}
    path.write_text(yaml_text(params), encoding="utf-8")
    git(place, "init", "-q")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "start")
    return place


def git(place: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=place, check=True, capture_output=True)


def dvc(place: Path, *arguments: str) -> str:
    """What `dvc …` printed; fails the test where it failed."""
    environment = dict(os.environ) | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
    }
    run = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def ran(output: str) -> set[str]:
    """The stages that were really run, not restored or skipped."""
    return {
        line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage") and "'" in line
    }


@pytest.mark.timeout(1200)
def test_from_real_photos_to_metrics_and_only_what_a_change_touches_runs(repository: Path) -> None:
    first = dvc(repository, "repro")
    assert {"ingest", "detect", "fit_segmenter", "segment", "train", "evaluate", "predict", "report"} <= ran(
        first
    )
    detected = json.loads((repository / "reports/detect.json").read_text())["details"][0]
    assert detected["found"] > 0.7 * detected["photos"], "MTCNN finds most faces, masked ones too"
    mattes = json.loads((repository / "reports/fit_segmenter.json").read_text())
    assert next(v for k, v in mattes.items() if "iou" in k.lower()) > 0.6, mattes
    metrics = json.loads((repository / "reports/evaluate.json").read_text())
    for scores in (metrics, metrics["mask"], metrics["gender"], metrics["age"]):
        assert (
            0 <= scores["macro_f1"]["low"] <= scores["macro_f1"]["value"] <= scores["macro_f1"]["high"] <= 1
        )
    answers = pd.read_csv(repository / "reports/submission.csv")
    assert list(answers.columns) == ["ImageID", "ans"]
    assert len(answers) == EVAL

    assert ran(dvc(repository, "repro")) == set(), "a second repro runs nothing"
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "first run")

    person = pd.read_parquet(repository / "build/labels.parquet").iloc[0]
    other = "male" if person["gender"] == "female" else "female"
    corrections = repository / "data/corrections.csv"
    header = corrections.read_text(encoding="utf-8")
    corrections.write_text(f"{header}{person['person']},,gender,{person['gender']},{other},seen,test\n")
    changed = ran(dvc(repository, "repro", "train"))
    assert "relabel" in changed
    assert not changed & {"ingest", "detect", "fit_segmenter", "segment", "compose"}, (
        "a label re-runs no pixel stage"
    )
    labels = pd.read_parquet(repository / "build/labels.parquet")
    assert set(labels[labels["person"] == person["person"]]["gender"]) == {other}
    corrections.write_text(header)
    assert ran(dvc(repository, "repro", "train")) == set(), "going back is restored from the cache"

    black = ran(dvc(repository, "exp", "run", "-S", "compose.fill=black", "compose", "synthesize"))
    assert black == {"compose"}, "a fill needs no network, and synthesis does not depend on it"
    yolo = ran(
        dvc(repository, "exp", "run", "-S", "compose.fill=keep", "-S", "detect.method=yolov8", "compose")
    )
    assert yolo == {"detect", "compose"}
    boxes = pd.read_parquet(repository / "build/boxes.parquet")
    assert (boxes["status"] == "found").mean() > 0.8, "YOLOv8 finds most of these people"
    assert "macro_f1.value" in dvc(repository, "metrics", "show")
    assert dvc(repository, "exp", "show", "--csv")
