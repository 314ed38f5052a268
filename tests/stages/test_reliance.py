"""Stage reliance: a model that reads the background is found out, and one that does not is not accused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from pipeline.analysis.reliance.gradcam_sheet import sheet_row
from pipeline.analysis.reliance.swap_predictions import predict_views
from pipeline.analysis.reliance.swap_views import Config, Result, Task, make_viewer
from pipeline.compose.backgrounds import Sources
from pipeline.io.atomic import atomic_folder
from pipeline.io.image_store import ImageStore
from pipeline.io.photo import encode_jpeg, encode_matte, read_photo
from pipeline.io.photo_store import PhotoStore
from pipeline.io.tables import write_table
from pipeline.params.learning import Train
from pipeline.seeds import generator
from pipeline.train.config import resolve_config
from pipeline.train.network import Classifier
from stages import compose, reliance, synthesize, train
from stages.shared.command import Stage
from tests.fixtures.pixel_project import drawn, index_again, make_project, stage
from tests.fixtures.small_set import write_faces

SMALL: dict[str, Any] = {
    "train__model": "test_resnet",
    "train__size": 32,
    "train__epochs": 6,
    "train__batch_size": 16,
    "train__lr": 0.01,
    "train__augment": "none",
    "train__mix": "none",
    "train__sampler": "none",
    "train__device": "cpu",
    "train__precision": "f32",
    "split__folds": 2,
    "evaluate__bootstrap": 100,
    "reliance__backgrounds_per_photo": 3,
}
WALLS = ((40, 60, 200), (60, 180, 60), (220, 60, 40))
SKINS = ((150, 120, 90), (170, 140, 110), (190, 160, 130))


def tie_walls_to_age(folder: Path, people: int = 12) -> None:
    """A project in which the wall shouts the age group and the skin whispers it."""
    make_project(folder, people, photos=4)
    labels = pd.read_parquet(folder / "build/labels.parquet")
    groups = []
    for image, person in zip(labels["image"], labels["person"], strict=True):
        group = int(person[:6]) // 2 % 3  # people of each group in either fold
        picture, _ = drawn(image, SKINS[group], WALLS[group])
        noise = generator(0, image).integers(-12, 13, picture.shape)
        (folder / "data" / image).write_bytes(encode_jpeg((picture + noise).clip(0, 255).astype(np.uint8)))
        groups.append(group)
    index_again(folder)
    labels["true_class"] = labels["train_class"] = np.array(groups, np.int64)
    write_table(folder / "build/labels.parquet", labels)


def found(**changes: Any) -> dict[str, Any]:
    reliance.run(stage("reliance", **SMALL | changes))
    return json.loads(Path("reports/reliance.json").read_text(encoding="utf-8"))["details"][0]


def trained(copies: float, **changes: Any) -> None:
    compose.run(stage("compose", **SMALL | changes))
    synthesize.run(stage("synthesize", **SMALL | changes | {"synthesize__copies": copies}))
    train.run(stage("train", **SMALL | changes))


class Patch(nn.Module):
    """Answers by the red of one patch: class = how far above 120 in steps of 15."""

    def __init__(self, rows: slice, columns: slice) -> None:
        super().__init__()
        self.where = (rows, columns)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        red = pixels[:, 0, self.where[0], self.where[1]].mean(dim=(1, 2)) * 255
        classes = ((red - 120) / 15).round().clamp(0, 17).long()
        return nn.functional.one_hot(classes, 18).float() * 9


def asked_by(patch: Patch, views: list[Result]) -> pd.DataFrame:
    params = Train.model_validate({"heads": "joint", "size": 64, "device": "cpu", "precision": "f32"})
    return predict_views(Classifier(patch, (0.0,) * 3, (1.0,) * 3).eval(), resolve_config(params), views)[0]


def test_who_reads_the_background_flips_and_who_does_not_never_does(project: Path) -> None:
    make_project(project)
    compose.run(stage("compose"))
    squares = pd.read_parquet("build/images/images.parquet")
    sources = Sources(PhotoStore(project / "data"), ImageStore(project / "build/mattes"))
    setting = Config(sources, ImageStore(Path("build/images")), "procedural", "keep", 64, 64, 0, 0)
    corners = squares[["x1", "y1", "x2", "y2"]].to_numpy().tolist()
    jobs = [
        Task(i, (a, b, c, d), ["", "", ""]) for i, (a, b, c, d) in zip(squares["image"], corners, strict=True)
    ]
    views = [make_viewer(setting)(job) for job in jobs]
    wall = asked_by(Patch(slice(0, 6), slice(0, 6)), views)
    face = asked_by(Patch(slice(30, 36), slice(30, 36)), views)
    assert wall["flip_rate_class"].mean() > 0.6
    assert wall["same_background_class"].mean() == 0
    assert face["predicted"].nunique() == 6  # it does tell people apart
    assert (face["flip_rate_class"] == 0).all()
    assert face["cam_outside_class"].isna().all()  # these networks have no maps


def test_number_falls_when_backgrounds_are_synthesised(project: Path) -> None:
    tie_walls_to_age(project)
    trained(copies=0)
    tied = found()
    trained(copies=3)
    loose = found()
    assert tied["flip_rate"]["age"]["value"] > 0.4
    assert loose["flip_rate"]["age"]["value"] < tied["flip_rate"]["age"]["value"] / 2
    assert loose["flip_rate"]["age"]["high"] < tied["flip_rate"]["age"]["low"]
    assert tied["same_background"]["age"]["value"] < 0.1  # it was the swap, not the cutting out


def test_repeats_byte_for_byte_and_takes_unseen_people_only(project: Path) -> None:
    tie_walls_to_age(project)
    trained(copies=0, train__epochs=1)
    first = found()
    files = ("reliance.json", "reliance.png", "reliance.parquet")
    before = [Path("reports", f).read_bytes() for f in files]
    found(machine__workers=2)
    assert [Path("reports", f).read_bytes() for f in files] == before
    rows = pd.read_parquet("reports/reliance.parquet")
    assert set(rows["fold"]) == {0}
    assert first["people"] == rows["person"].nunique() == 6
    assert first["flip_rate"]["low"] <= first["flip_rate"]["value"] <= first["flip_rate"]["high"]
    assert 0 < first["cam_outside"]["value"] < 1
    assert read_photo(Path("reports/reliance.png")).shape[1] > 1000
    assert found(reliance__max_people=3)["people"] == 3


def test_face_numbers_are_kept_on_every_background_and_it_is_said(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The face says the age that the wall would say, so less flips than without it."""
    tie_walls_to_age(project)
    trained(copies=0, train__epochs=3)
    without = found()
    assert "face_features" not in without
    labels = pd.read_parquet("build/labels.parquet")
    said = np.eye(3)[labels["true_class"]] * 5
    write_faces(
        list(labels["image"]), "dlib", said + np.random.default_rng(0).standard_normal(said.shape) / 9
    )
    append = {"train__face_features": "append", "faces__network": "dlib"}
    trained(copies=0, train__epochs=3, **append)
    with_faces = found(**append)
    assert "face networks saw the photo itself" in with_faces["face_features"]
    assert "face networks saw the photo itself" in capfd.readouterr().err
    assert with_faces["flip_rate"]["age"]["value"] < without["flip_rate"]["age"]["value"]
    assert 0 < with_faces["cam_outside"]["value"] < 1


def test_nothing_flips_where_the_fill_leaves_no_background(project: Path) -> None:
    tie_walls_to_age(project)
    trained(copies=0, train__epochs=1, compose__fill="black")
    assert found(compose__fill="black")["flip_rate"]["value"] == 0


def test_without_mattes_the_numbers_are_null_and_it_is_said(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tie_walls_to_age(project)
    with atomic_folder(project / "build/mattes"):
        pass
    trained(copies=0, train__epochs=1, segment__method="none")
    report = found(segment__method="none")
    assert report["flip_rate"] is None
    assert report["cam_outside"] is None
    assert "segment.method is none" in capfd.readouterr().err
    assert Path("reports/reliance.png").is_file()


def test_a_photo_whose_matte_shows_nobody_is_counted_and_not_measured(project: Path) -> None:
    tie_walls_to_age(project)
    trained(copies=0, train__epochs=1)
    image = str(pd.read_parquet("build/images/images.parquet")["image"][0])
    with atomic_folder(project / "build/mattes") as mattes:
        shutil.copytree(project / "build/mattes", mattes, dirs_exist_ok=True)
        (mattes / "MANIFEST.json").unlink()
        (mattes / image).with_suffix(".png").write_bytes(encode_matte(np.zeros((128, 96), np.uint8)))
    report = found()
    assert report["without_person"] == 1
    rows = pd.read_parquet("reports/reliance.parquet").set_index("image")
    assert np.isnan(rows.loc[image, "flip_rate_class"])
    assert rows["flip_rate_class"].drop(image).notna().all()


def test_a_network_without_maps_is_said_on_the_sheet() -> None:
    facts = pd.Series({"true_class": 0, "age": 20})
    view = Result("a.jpg", np.zeros((1, 32, 32, 3), np.uint8), None)
    row = sheet_row(view, facts, 5, None)
    assert row.cells[1:] == ["no maps here"] * 4
    assert "predicted worn female >=60" in row.caption


def test_limit_writes_below_quick(project: Path) -> None:
    tie_walls_to_age(project)
    trained(copies=0, train__epochs=1)
    limited = stage("reliance", **SMALL)
    reliance.run(Stage("reliance", limited.params, 2))
    assert len(set(pd.read_parquet("quick/reports/reliance.parquet")["person"])) == 2
    assert not Path("reports").exists()
