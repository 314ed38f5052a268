"""`cleanplate export --int8`: shipped only if people held out show that little is lost, and said so."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cleanplate.cli import app
from cleanplate.comparison.paired import differences
from cleanplate.predict import Model
from cleanplate.quantization.judged import MOST_LOST, loss
from cleanplate.quantization.pictures import CALIBRATION, calibration_photos
from pipeline.evaluate.metrics import confusion_by_person
from pipeline.params.learning import Evaluate
from stages.shared.artefacts import FOLDS, LABELS
from tests.fixtures.pixel_project import bytes_below

pytestmark = pytest.mark.timeout(900)  # the first test of a session trains


def export(project: Path, *arguments: str) -> str:
    """Runs `cleanplate export` in a project, and returns what it said."""
    with chdir(project):
        done = CliRunner().invoke(app, ["export", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stderr


def exported(project: Path, out: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """chain.json, what the card says about int8, and what the command said."""
    said = export(project, out, "--int8")
    chain, card = (json.loads((project / out / n).read_text()) for n in ("chain.json", "card.json"))
    return chain, card["cleanplate"]["int8"], said


@pytest.fixture(scope="module")
def steady(photo_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose networks know one answer best, whoever is asked about: int8 cannot change it."""
    from safetensors.torch import load_file, save_file

    project = tmp_path_factory.mktemp("steady") / "project"
    shutil.copytree(photo_project, project)
    for path in project.glob("build/model/fold*/model.safetensors"):
        state = load_file(path)
        state["fc.weight"] /= 100
        state["fc.bias"][[1, 3, 5]] += 5  # of each task one value
        path.unlink()
        save_file(state, path)
    return project


def test_what_loses_nothing_answers_in_place_of_float32(steady: Path) -> None:
    chain, fact, said = exported(steady, "out")
    assert fact["accepted"]
    assert fact["loss"]["high"] < MOST_LOST
    assert fact["people"] == 20
    assert chain["classify"]["networks"] == ["fold0_int8", "fold1_int8"]
    assert chain["classify"]["float32"] == ["fold0", "fold1"]
    assert "int8 answers" in said
    out = steady / "out"
    assert "The classifier that answers is int8" in (out / "README.md").read_text(encoding="utf-8")
    sizes = [(out / f"openvino/{name}.bin").stat().st_size for name in ("fold0_int8", "fold0")]
    assert 2 * sizes[0] < sizes[1]
    export(steady, "float32")
    int8, float32 = Model.load(out), Model.load(steady / "float32")
    photos = sorted((steady / "photos/eval/images").iterdir())[:4]
    apart = [
        np.abs(a.raw - b.raw).max()
        for path in photos
        for a, b in zip(int8.photo(path.read_bytes()), float32.photo(path.read_bytes()), strict=True)
    ]
    assert len(apart) >= 3
    assert 0 < max(apart) < 0.1, "another network, but of the same photos"


def test_the_same_project_gives_the_same_bytes(steady: Path) -> None:
    exported(steady, "out")
    exported(steady, "again")
    assert bytes_below(steady / "out") == bytes_below(steady / "again")


def test_what_may_lose_more_is_refused_with_its_interval(photo_project: Path, tmp_path: Path) -> None:
    """These networks are made so sure of so little that rounding moves every other answer."""
    project = tmp_path / "project"
    shutil.copytree(photo_project, project)
    chain, fact, said = exported(project, "out")
    assert not fact["accepted"]
    assert fact["loss"]["high"] >= MOST_LOST
    assert fact["changed"] > 0
    assert chain["classify"]["networks"] == ["fold0", "fold1"]
    assert not list((project / "out").rglob("*int8*"))
    number = f"{fact['loss']['high']:.4f}"
    assert f"to {number}" in said
    text = (project / "out/README.md").read_text(encoding="utf-8")
    assert "is not in this folder" in text
    assert f"to {number}" in text
    assert Model.load(project / "out").classifiers


def test_few_people_are_too_few_whatever_they_show(trained_demo: Path, tmp_path: Path) -> None:
    _, fact, said = exported(trained_demo, str(tmp_path / "out"))
    assert fact["people"] < fact["least_people"] == 20
    assert not fact["accepted"]
    assert "on 20 people or more" in said


def test_the_loss_is_the_paired_difference() -> None:
    rng = np.random.default_rng(1)
    person = np.repeat([f"p{n:02d}" for n in range(40)], 7)
    truth = rng.integers(0, 18, 280)
    before, after = (
        np.eye(18)[np.where(rng.random(280) < wrong, (truth + 6) % 18, truth)] for wrong in (0.1, 0.3)
    )
    photos = pd.DataFrame({"person": person, "true_class": truth})
    got = loss(photos, before, after, Evaluate(bootstrap=500))
    confusions = [confusion_by_person(truth, p.argmax(axis=1), person) for p in (before, after)]
    wanted = differences(*confusions, draws=500, swaps=500, seed=0)["macro_f1"]
    assert got["loss"]["value"] == pytest.approx(-wanted.value)
    assert got["loss"]["value"] > 0.1, "three times as many are wrong"
    assert (got["loss"]["low"], got["loss"]["high"]) == pytest.approx((-wanted.high, -wanted.low))
    assert got["changed"] == (before.argmax(axis=1) != after.argmax(axis=1)).sum()


def test_ranges_come_from_photos_that_the_network_learnt_from(
    photo_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(photo_project / "build", tmp_path / "build")
    monkeypatch.chdir(tmp_path)
    labels, folds = LABELS.read(), FOLDS.read("person", "fold").set_index("person")["fold"]
    chosen = calibration_photos(0)
    people = labels.set_index("image").loc[chosen, "person"]
    assert set(people.map(folds)) == {1}
    assert 0 < len(chosen) <= CALIBRATION
    LABELS.write(LABELS.path, labels.iloc[::-1].reset_index(drop=True))
    assert calibration_photos(0) == chosen, "whatever their order"
    labels.loc[labels["image"] == chosen[0], "train_class"] = -1
    LABELS.write(LABELS.path, labels)
    assert calibration_photos(0) == chosen[1:], "not learnt from, not calibrated on"
