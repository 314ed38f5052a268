"""The detect stage: every photo gets a box and a status, and no photo is looked at twice."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.detect.boxes import Detection
from pipeline.io.photo import decode_photo, encode_jpeg
from pipeline.io.tables import read_table, write_table
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from stages.detect import box_table, count_statuses, run
from stages.shared.command import run_stage
from tests.conftest import ROOT


def draw(seed: int, width: int = 96, height: int = 128) -> bytes:
    """A photo without a face, unlike any other."""
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return encode_jpeg(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))


def index(project: Path, photos: dict[str, bytes]) -> None:
    """Writes the photos and build/photos.parquet as `ingest` does; the person is the folder's name."""
    rows = []
    for image, data in sorted(photos.items(), key=lambda item: (item[0].startswith("eval"), item[0])):
        path = project / "photos" / image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        split = "eval" if image.startswith("eval") else "train"
        height, width = decode_photo(data).shape[:2]
        person = path.parent.name if split == "train" else ""
        rows.append((image, person, split, width, height, hashlib.sha256(data).hexdigest()))
    columns = ["image", "person", "split", "width", "height", "sha256"]
    table = pd.DataFrame(rows, columns=columns).assign(shard="", offset=0, bytes=0)
    write_table(project / "build" / "photos.parquet", table)


@pytest.fixture
def detecting(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with 20 drawn photos of five people, mtcnn, one worker."""
    monkeypatch.setenv("DVC_ROOT", str(project))
    setting(project, method="mtcnn")
    index(project, {f"train/images/p{i // 4}/{i}.jpg": draw(i) for i in range(20)})
    return project


def setting(project: Path, workers: int = 1, root: str = "photos", **detect: object) -> None:
    params = parse_yaml((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"]["root"] = root
    params["machine"]["workers"] = workers
    params["detect"].update(detect)
    (project / "params.yaml").write_text(yaml_text(params))


def detect(capsys: pytest.CaptureFixture[str]) -> int:
    """Runs the stage and returns how many photos the network looked at."""
    assert run_stage("detect", run, Path("params.yaml")) == 0
    line = capsys.readouterr().err
    computed = re.search(r"(\d+) computed", line)
    return int(computed.group(1)) if computed else 0


def test_every_photo_has_a_box_a_status_and_typed_columns(
    detecting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect(capsys) == 20
    table = read_table(Path("build/boxes.parquet"), "detect")
    photos = read_table(Path("build/photos.parquet"), "ingest")
    assert list(table["image"]) == list(photos["image"])
    assert [str(table[c].dtype) for c in ("x1", "y1", "x2", "y2", "score")] == ["float32"] * 5
    assert set(table["status"]) == {"whole_frame"}
    assert all(math.isnan(score) for score in table["score"])
    assert all(len(marks) == 0 for marks in table["landmarks"])
    assert table[["x2", "y2"]].to_numpy().tolist() == [[96, 128]] * 20
    report = json.loads(Path("reports/detect.json").read_text())["details"][0]
    assert (report["photos"], report["whole_frame"], report["train"]["whole_frame"]) == (20, 20, 20)


def test_the_end_line_says_what_bound_it(detecting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_stage("detect", run, Path("params.yaml")) == 0
    line = capsys.readouterr().err
    assert re.search(
        r"mtcnn on openvino f32: 20 photos, 0 from the cache, 20 computed, 0 found, 20 fallback, "
        r"[\d.]+ photos/s, bound by \w+ \(decode \d+%, network \d+%\)",
        line,
    )


def test_the_same_bytes_whatever_the_number_of_workers(
    detecting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detect(capsys)
    one = Path("build/boxes.parquet").read_bytes()
    shutil.rmtree(".cache")
    setting(detecting, workers=2)
    assert detect(capsys) == 20
    assert Path("build/boxes.parquet").read_bytes() == one


def test_no_photo_is_looked_at_twice(detecting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detect(capsys)
    before = Path("build/boxes.parquet").read_bytes()
    assert detect(capsys) == 0
    setting(detecting, method="none")
    assert detect(capsys) == 0
    assert set(read_table(Path("build/boxes.parquet"), "detect")["status"]) == {"not_run"}
    setting(detecting, method="mtcnn")
    assert detect(capsys) == 0, "there and back runs no network"
    assert Path("build/boxes.parquet").read_bytes() == before

    photos = {f"train/images/renamed{i // 4}/{i}.jpg": draw(i) for i in range(20)}
    index(detecting, photos)
    assert detect(capsys) == 0, "renamed people are the same photos"
    index(detecting, {**photos, "train/images/new/1.jpg": draw(99), "eval/images/twin.jpg": draw(99)})
    assert detect(capsys) == 1, "one new photo, twice"
    setting(detecting, mtcnn={"adaptive": False})
    assert detect(capsys) == 21, "another setting is another result"


def test_a_damaged_entry_is_looked_at_again(detecting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detect(capsys)
    before = Path("build/boxes.parquet").read_bytes()
    (rows,) = Path(".cache/items").glob("detect-*/rows.jsonl")
    data = bytearray(rows.read_bytes())
    data[data.index(b"{", len(data) // 2)] ^= 1
    rows.write_bytes(bytes(data))
    assert detect(capsys) == 1
    assert Path("build/boxes.parquet").read_bytes() == before


@pytest.mark.parametrize("harm", ["missing", "changed", "cut"])
def test_an_indexed_photo_that_cannot_be_read_is_named(
    detecting: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    path = detecting / "photos" / "train/images/p4/9.jpg"  # the last one that is looked at
    index(
        detecting,
        {
            **{f"train/images/p{i // 4}/{i}.jpg": draw(i) for i in range(16)},
            "train/images/p4/9.jpg": draw(77),
        },
    )
    if harm == "missing":
        path.unlink()
    elif harm == "changed":
        path.write_bytes(draw(1234))
    else:
        path.write_bytes(draw(77)[:300])
        table = read_table(Path("build/photos.parquet"), "ingest")
        table.loc[16, "sha256"] = hashlib.sha256(draw(77)[:300]).hexdigest()  # indexed like that
        write_table(Path("build/photos.parquet"), table)
    assert run_stage("detect", run, Path("params.yaml")) == 1
    message = capsys.readouterr().err
    assert "p4/9.jpg" in message
    assert "Traceback" not in message
    assert not Path("build/boxes.parquet").exists()
    index(detecting, {f"train/images/p{i // 4}/{i}.jpg": draw(i) for i in range(16)})
    assert detect(capsys) == 0, "what was found before the error is kept"


def test_an_implausible_box_is_replaced_counted_and_has_no_landmarks() -> None:
    face = Detection(np.array([30, 20, 70, 60], np.float32), 0.9, np.full((5, 2), 40, np.float32))
    eye = Detection(np.array([35, 30, 45, 40], np.float32), 0.99, np.full((5, 2), 38, np.float32))
    people = ["a", "a", "a", "a", *[f"p{i}" for i in range(20)], "", ""]
    found = [face, face, face, eye, *[face] * 20, eye, None]
    photos = pd.DataFrame({"person": people, "width": 100, "height": 100})
    photos["image"] = [f"{i}.jpg" for i in range(len(photos))]
    photos["split"] = ["train" if person else "eval" for person in people]
    table = box_table(photos, found, was_run=True, reject=True)
    doubted = table.iloc[[3, 24]]
    assert doubted["status"].tolist() == ["implausible"] * 2
    assert doubted["score"].isna().all()
    assert all(len(marks) == 0 for marks in doubted["landmarks"])
    np.testing.assert_allclose(table[["x1", "y1", "x2", "y2"]], [[30, 20, 70, 60]] * 26, rtol=1e-5)
    assert table["status"].iloc[25] == "set_median", "photos to predict are framed as the others"
    report = count_statuses(table["status"], photos["split"])
    assert (report["implausible"], report["found"], report["set_median"]) == (2, 23, 1)
    assert report["eval"]["implausible"] == 1  # type: ignore[index]
    kept = box_table(photos, found, was_run=True, reject=False)
    assert kept["status"].tolist() == ["found"] * 25 + ["set_median"]
    assert kept.loc[3, "score"] == pytest.approx(0.99)


def test_help_is_quick_and_imports_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['detect', '--help']\n"
        "import runpy\n"
        "try: runpy.run_module('stages.detect', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'openvino', 'ultralytics')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"--limit" in done.stdout


def test_real_photos(
    project: Path, test_data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(project))
    people = sorted((test_data / "realset" / "train" / "images").iterdir())[:2]
    strangers = sorted((test_data / "realset" / "eval" / "images").iterdir())[:2]
    photos = {
        f"train/images/{p.parent.name}/{p.name}": p.read_bytes() for d in people for p in sorted(d.iterdir())
    }
    photos |= {f"eval/images/{p.name}": p.read_bytes() for p in strangers}
    photos[f"train/images/{people[0].name}/blank.jpg"] = draw(5, 384, 512)
    index(project, photos)
    setting(project, method="mtcnn")
    assert detect(capsys) == 17
    table = read_table(Path("build/boxes.parquet"), "detect").set_index("image")
    found = table.loc[table["status"].to_numpy() == "found"]
    assert len(found) >= 11
    assert (found["score"] > 0.7).all()
    assert all(len(marks) == 10 for marks in found["landmarks"])
    blank = table.loc[f"train/images/{people[0].name}/blank.jpg"]
    assert str(blank["status"]) == "person_median"
    assert "whole_frame" not in set(table["status"]), "nor any photo to predict"
    own = found[found.index.str.startswith(f"train/images/{people[0].name}/")][["x1", "y1", "x2", "y2"]]
    np.testing.assert_allclose(blank[["x1", "y1", "x2", "y2"]].astype(float), own.median(), rtol=1e-5)

    weights = test_data.parent / "weights" / "yolov8n.pt"
    setting(
        project, method="yolov8", yolov8={"weights": str(weights), "confidence": 0.25, "precision": "f32"}
    )
    assert detect(capsys) == 17
    people_boxes = read_table(Path("build/boxes.parquet"), "detect").set_index("image")
    both = found.index[people_boxes.loc[found.index, "status"] == "found"]
    assert len(both) >= 8
    face_area = (found["x2"] - found["x1"]) * (found["y2"] - found["y1"])
    person_area = (people_boxes["x2"] - people_boxes["x1"]) * (people_boxes["y2"] - people_boxes["y1"])
    larger = (person_area[both] > face_area[both]).to_numpy(dtype=bool)
    assert larger.all(), "a person is more than a face"
