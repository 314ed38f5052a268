"""A model with face networks' numbers once it is trained: what is made of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cleanplate.review.heatmaps import HeatMaps
from pipeline.runtime.errors import UserError
from stages import evaluate, export, predict
from stages.shared.command import Stage
from tests.fixtures.face_numbers import face_set, with_faces
from tests.fixtures.small_set import write_faces
from tests.fixtures.small_training import trained

pytestmark = pytest.mark.usefixtures("project")


def test_a_model_of_other_numbers_is_refused() -> None:
    face_set(12)
    params = with_faces(epochs=1)
    trained(params)
    images = list(pd.read_parquet("build/faces.parquet")["image"])
    write_faces(images, "dlib", np.zeros((len(images), 5)))
    with pytest.raises(UserError, match=r"other face networks' numbers[\s\S]*5 numbers[\s\S]*8"):
        evaluate.run(Stage("evaluate", params))
    write_faces(images[:-1], "faceres", np.zeros((len(images) - 1, 8)))
    with pytest.raises(UserError, match=r"not asked about a photo[\s\S]*dvc repro faces"):
        predict.run(Stage("predict", params))


def test_an_export_says_why_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    face_set(12)
    params = with_faces(epochs=1)
    trained(params)
    export.run(Stage("export", params))
    assert "no chain of open networks" in capsys.readouterr().err
    assert Path("build/export/not_exported.json").is_file()
    with pytest.raises(UserError, match=r"train\.face_features[\s\S]*none"):
        export.export_model(params, Path("build/model"), Path("elsewhere"))


def test_a_heat_map_is_drawn_with_the_numbers_of_the_photo() -> None:
    table = face_set(12)
    trained(with_faces(epochs=1))
    drawn = HeatMaps().get(table["image"][0], table["person"][0], "age")
    assert drawn.startswith(b"\xff\xd8")


def test_params_that_it_does_not_go_with_are_refused() -> None:
    with pytest.raises(UserError, match=r"train\.model features learns from face features alone"):
        with_faces(model="features")
    with pytest.raises(UserError, match=r"faces\.network is none; set faces\.network: faceres"):
        with_faces("none")
