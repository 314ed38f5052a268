"""`cleanplate.predict` answers as the stage `predict` does, on either runtime, from several threads at once.

The stage writes the networks' own probabilities: `Person.raw`, of which `probabilities` are the calibration.
A photo in which nobody was found, and which the stage answers by a median box, gets no answer here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cleanplate.predict import Model, Person
from pipeline.evaluate.calibration import tempered
from pipeline.io.photo import read_photo
from pipeline.runtime.errors import UserError

pytestmark = pytest.mark.timeout(900)  # the first test of a session trains the demo
TOLERANCE = 1e-3
OF_ARRAYS = 0.02  # the stage decodes a large JPEG at a half of its size, an array is reduced by averaging


@pytest.fixture(scope="module")
def model(trained_demo: Path) -> Model:
    return Model.load(trained_demo / "build/export")


@pytest.fixture(scope="module")
def rows(trained_demo: Path) -> pd.DataFrame:
    """Every eval photo: image, status and box of the stages, p0 … p17 and answer of `predict`."""
    reports, build = trained_demo / "reports", trained_demo / "build"
    boxes = pd.read_parquet(build / "boxes.parquet", columns=["image", "status", "x1", "y1", "x2", "y2"])
    table = pd.read_parquet(build / "eval.parquet").merge(boxes, on="image")
    table = table.merge(pd.read_csv(reports / "submission.csv"), on="ImageID")
    return table.merge(pd.read_csv(reports / "submission_probabilities.csv"), on="ImageID")


def assert_same(people: list[Person], row: pd.Series, tolerance: float = TOLERANCE) -> None:
    main = people[0]
    assert (main.face, main.status) == (0, "found")
    assert np.abs(main.box - row[["x1", "y1", "x2", "y2"]].to_numpy(np.float64)).max() < 0.01
    assert main.code == row["ans"]
    assert np.abs(main.raw - row[[f"p{c}" for c in range(18)]].to_numpy(np.float64)).max() < tolerance


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_every_answer_is_the_stage_s(trained_demo: Path, rows: pd.DataFrame, runtime: str) -> None:
    pytest.importorskip(runtime)
    model = Model.load(trained_demo / "build/export", runtime)
    found = 0
    for _, row in rows.iterrows():
        people = model.photo((trained_demo / "demo/data" / row["image"]).read_bytes(), name=row["image"])
        if row["status"] == "found":
            found += 1
            assert_same(people, row)
        else:
            assert people == []
    assert found >= 10
    assert len(set(rows["ans"])) > 1, "the network tells photos apart"
    assert rows["p0"].max() - rows["p0"].min() > 20 * TOLERANCE


def test_an_array_is_answered_as_its_file(trained_demo: Path, rows: pd.DataFrame, model: Model) -> None:
    for _, row in rows[rows["status"] == "found"].head(3).iterrows():
        assert_same(model(read_photo(trained_demo / "demo/data" / row["image"])), row, OF_ARRAYS)


def test_threads_do_not_disturb_each_other(trained_demo: Path, rows: pd.DataFrame, model: Model) -> None:
    rows = rows[rows["status"] == "found"]
    photos = [(trained_demo / "demo/data" / image).read_bytes() for image in rows["image"]] * 2
    with ThreadPoolExecutor(4) as pool:
        for people, (_, row) in zip(pool.map(model.photo, photos), [*rows.iterrows()] * 2, strict=True):
            assert_same(people, row)


def test_calibration_is_the_exports_and_moves_no_answer(
    model: Model, trained_demo: Path, rows: pd.DataFrame
) -> None:
    image = rows[rows["status"] == "found"]["image"].iloc[0]
    (person, *_) = model(read_photo(trained_demo / "demo/data" / image))
    assert model.chain.temperature != 1
    assert person.probabilities == pytest.approx(tempered(person.raw, model.chain.temperature))
    assert person.probabilities.argmax() == person.raw.argmax() == person.code
    assert person.tasks["mask"].sum() == pytest.approx(1)


def test_several_people_each_get_the_answer_that_they_get_alone(
    model: Model, trained_demo: Path, rows: pd.DataFrame
) -> None:
    """Four drawn people in one photo; the largest is face 0."""
    images = rows[rows["status"] == "found"]["image"].head(4)
    photos = [read_photo(trained_demo / "demo/data" / image) for image in images]
    large = cv2.resize(photos[0], None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    height, width = large.shape[:2]
    step = photos[1].shape[1] + 60
    group = np.full((height, width + 3 * step, 3), 128, np.uint8)
    group[:, :width] = large
    for n, photo in enumerate(photos[1:]):
        left = width + n * step + 30
        group[: photo.shape[0], left : left + photo.shape[1]] = photo
    people = model(group)
    assert [p.face for p in people] == list(range(len(people)))
    assert people[0].box[2] <= width
    columns = sorted({int((p.box[0] + p.box[2]) / 2 - width) // step for p in people[1:]})
    assert columns == [0, 1, 2]
    assert len(model(group, most=1)) == 1
    assert model(group, most=1)[0].code == people[0].code


def test_nobody_is_no_answer(model: Model) -> None:
    assert model(np.full((200, 300, 3), 90, np.uint8)) == []


@pytest.mark.parametrize(
    "wrong", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8), "x"]
)
def test_what_is_no_picture_is_refused(model: Model, wrong: object) -> None:
    with pytest.raises(UserError, match=r"uint8 \[H, W, 3\]"):
        model(wrong)  # pyright: ignore[reportArgumentType]
