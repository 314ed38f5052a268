"""On photographs, with every fill: `cleanplate predict` answers as the stages do, on either runtime."""

from __future__ import annotations

import csv
import io
import shutil
from contextlib import chdir, redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cleanplate.predict.command import main
from cleanplate.predict.model import Model
from pipeline.io.image_store import matte_name
from pipeline.io.photo import read_matte, read_photo
from pipeline.runtime.plugins import plugin_names
from tests.fixtures.photo_project import EVAL, spread_answers
from tests.fixtures.trained_demo import change_params, run_stages

pytestmark = pytest.mark.timeout(900)  # the first test of a session trains
TOLERANCE = 1e-5  # of probabilities, where the mattes are the same
P = [f"p{c}" for c in range(18)]


def answered(project: Path, runtime: str) -> pd.DataFrame:
    """What the command says about everybody in the project's eval photos."""
    said = io.StringIO()
    with chdir(project), redirect_stdout(said):
        options = ["--csv", "--uncalibrated", "--runtime", runtime]
        assert main(["photos", "--model", "build/export", *options]) == 0
    table = pd.DataFrame(csv.DictReader(said.getvalue().splitlines()))
    return table[table["face"] == "0"].set_index("image")


@pytest.mark.parametrize("fill", plugin_names("compose.fills"))
def test_every_answer_is_the_stage_s(fill: str, photo_project: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    project = tmp_path / "project"
    shutil.copytree(photo_project, project)
    with chdir(project):
        change_params({"compose": {"fill": fill}})
        run_stages("compose")
        spread_answers()
        run_stages("predict", "export")
    shutil.rmtree(
        project / "photos/train"
    )  # only the others are asked about, by the names that the stages know
    wanted = pd.read_parquet(project / "build/eval.parquet").merge(
        pd.read_csv(project / "reports/submission.csv"), on="ImageID"
    )
    wanted = wanted.merge(pd.read_csv(project / "reports/submission_probabilities.csv"), on="ImageID")
    boxes = pd.read_parquet(project / "build/boxes.parquet").query("status == 'found'")
    wanted = wanted[wanted["image"].isin(boxes["image"])].set_index("image")
    assert len(wanted) >= EVAL - 2
    assert wanted["ans"].nunique() > 3, "the networks tell photos apart"
    for runtime in ("openvino", "onnxruntime"):
        got = answered(project, runtime).loc[wanted.index]
        assert set(got["status"]) == {"found"}
        assert got["class"].astype(int).tolist() == wanted["ans"].tolist()
        differs = np.abs(got[P].astype(float).to_numpy() - wanted[P].to_numpy()).max(axis=1)
        same = same_mattes(project, list(wanted.index), runtime)
        assert same.all() or runtime == "onnxruntime", "OpenVINO made the stages' mattes"
        assert same.sum() > len(same) / 2
        assert differs[same].max() < TOLERANCE


def same_mattes(project: Path, images: list[str], runtime: str) -> np.ndarray:
    """bool [N]: whether the mattes are the stage's; runtimes round, so one level of 255 may differ."""
    segment = Model.load(project / "build/export", runtime).segment
    assert segment is not None
    same: list[bool] = []
    for image in images:
        matte = read_matte(project / "build/mattes" / matte_name(image)).astype(int)
        levels = np.abs(segment(read_photo(project / "photos" / image)) - matte)
        assert levels.max() <= 1
        same.append(not levels.any())
    return np.array(same)
