"""The faces stage: a row per photo and network, from the cache where photo and box are known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.io.photo import encode_jpeg
from pipeline.io.tables import write_table
from pipeline.params import load_params
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.errors import UserError
from stages.faces import run
from stages.shared.artefacts import FACES
from stages.shared.command import run_stage
from tests.fixtures.pixel_project import HEIGHT, WIDTH, drawn

PHOTOS = 3


def make_photos() -> pd.DataFrame:
    """Three drawn people in photos/, and the tables that `ingest` and `detect` would write; the boxes."""
    rows: list[dict[str, Any]] = []
    for number in range(PHOTOS):
        image = f"train/{number}.jpg"
        path = Path("photos") / image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_jpeg(drawn(image, (90 + 40 * number, 120, 90), (40, 40, 200))[0]))
        rows.append({"image": image, "person": str(number), "split": "train"})
        rows[-1] |= {"width": WIDTH, "height": HEIGHT}
        rows[-1]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    photos = pd.DataFrame(rows)
    write_table(Path("build/photos.parquet"), photos.assign(shard="", offset=0, bytes=0))
    boxes = pd.DataFrame({"image": photos["image"], "x1": 26.0, "y1": 28, "x2": 70, "y2": 72})
    boxes = boxes.astype(dict.fromkeys(("x1", "y1", "x2", "y2"), np.float32))
    return boxes.assign(score=np.float32(0.9), status="found", landmarks=[[]] * PHOTOS)


def look(boxes: pd.DataFrame, **faces: Any) -> pd.DataFrame:
    """The table that the stage makes of these boxes."""
    write_table(Path("build/boxes.parquet"), boxes)
    raw = parse_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    raw["data"]["root"], raw["faces"] = "photos", faces
    raw["machine"]["workers"] = 1
    Path("params.yaml").write_text(yaml_text(raw), encoding="utf-8")
    assert run_stage("faces", run, Path("params.yaml"), debug=True) == 0
    return FACES.read()


@pytest.mark.usefixtures("project")
def test_without_a_network_the_table_is_empty() -> None:
    assert look(make_photos(), network="none").empty
    assert json.loads(Path("reports/faces.json").read_text()) == {"networks": []}
    assert not Path(".cache/items").exists()


@pytest.mark.usefixtures("project")
def test_a_photo_is_looked_at_again_only_where_its_box_moved(capsys: pytest.CaptureFixture[str]) -> None:
    boxes = make_photos()
    first = look(boxes, network="dlib")
    assert first["image"].tolist() == boxes["image"].tolist()
    assert set(first["network"]) == {"dlib"}
    assert first["embedding"].map(len).tolist() == [128] * PHOTOS
    assert first[["male", "age"]].isna().all(axis=None)
    assert f"0 from the cache, {PHOTOS} computed" in capsys.readouterr().err
    again = look(boxes, network="dlib")
    assert f"{PHOTOS} from the cache, 0 computed" in capsys.readouterr().err
    assert np.array_equal(np.stack(again["embedding"].tolist()), np.stack(first["embedding"].tolist()))
    boxes.loc[1, "y1"] += np.float32(9)
    moved = look(boxes, network=["dlib"])
    assert f"{PHOTOS - 1} from the cache, 1 computed" in capsys.readouterr().err
    same = [list(a) == list(b) for a, b in zip(first["embedding"], moved["embedding"], strict=True)]
    assert same == [True, False, True]


@pytest.mark.usefixtures("project")
def test_the_report_says_which_weights_learnt_from_research_only_faces() -> None:
    look(make_photos(), network="dlib")
    (network,) = json.loads(Path("reports/faces.json").read_text())["networks"]
    assert network["network"] == "dlib"
    assert "research only" in network["weights"][0]["trained_on"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("section", "changes", "said"),
    [
        ("faces", {"network": "facres"}, "did you mean `faceres`"),
        ("faces", {"network": ["dlib", "dlib"]}, "names a network twice"),
        ("faces", {"network": ["none", "dlib"]}, "none stands alone"),
        ("detect", {"method": "yolov8"}, "set faces.network: none or detect.method: retinaface"),
    ],
)
def test_params_that_cannot_be_are_refused_with_the_way_out(
    section: str, changes: dict[str, Any], said: str
) -> None:
    raw = parse_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    raw["faces"]["network"] = "dlib"
    raw[section] |= changes
    Path("params.yaml").write_text(yaml_text(raw), encoding="utf-8")
    with pytest.raises(UserError) as e:
        load_params(Path("params.yaml"))
    assert said in str(e.value)
