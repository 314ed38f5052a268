"""The linear model on face networks' numbers: by hand, and through the stages as any model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.params import Params, load_params
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.runtime.errors import UserError
from pipeline.train.face_features import Features, fit_features, predict_features, read_features
from stages import evaluate, export, predict, reliance, train
from stages.shared.command import Stage
from tests.fixtures.small_set import small_params, write_build, write_faces


def numbers_of(classes: np.ndarray, noise: float = 0.3) -> Features:
    """Six numbers that say mask, gender and age, and 200 large ones that say nothing."""
    random = np.random.default_rng(0)
    codes = [classes // 6, classes // 3 % 2, classes % 3]
    said = np.concatenate([np.eye(n)[code] for n, code in zip((3, 2, 3), codes, strict=True)], axis=1)
    said = said + noise * random.standard_normal(said.shape)
    rest = 50 * random.standard_normal((len(classes), 200))
    return Features(np.concatenate([rest, said], axis=1), np.repeat([0, 1], [200, said.shape[1]]))


def test_a_small_block_is_heard_beside_a_large_one() -> None:
    classes = np.tile(np.arange(18), 20)
    features = numbers_of(classes)
    tensors = fit_features(features, classes, balanced=False)
    p = predict_features(tensors, numbers_of(classes))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert (p.argmax(axis=1) == classes).mean() > 0.95


def test_a_class_that_was_not_learnt_gets_no_probability() -> None:
    classes = np.repeat([0, 1, 3, 4], 20)  # everyone masked, nobody old
    p = predict_features(fit_features(numbers_of(classes), classes, balanced=True), numbers_of(classes))
    assert p[:, [2, 5, *range(6, 18)]].max() == 0
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert (p.argmax(axis=1) == classes).all()


def test_what_no_network_saw_is_named(project: Path) -> None:
    write_build(2, evals=1)
    with pytest.raises(UserError, match=r"no face network was asked[\s\S]*faces\.network"):
        read_features(pd.read_parquet("build/faces.parquet"), ["a.jpg"])
    write_faces(["a.jpg"], "dlib", np.zeros((1, 4)))
    with pytest.raises(UserError, match=r"dlib was not asked[\s\S]*b\.jpg"):
        read_features(pd.read_parquet("build/faces.parquet"), ["a.jpg", "b.jpg"])


@pytest.fixture
def seen(project: Path) -> Params:
    """A small set whose photos a face network has described, with `train.model: features`."""
    table = write_build(24)
    classes = [*table["true_class"], 15, 15, 15]  # three photos of young women without a mask to predict
    images = [*table["image"], *(f"eval/images/e{i}.jpg" for i in range(3))]
    write_faces(images, "faceres", numbers_of(np.array(classes), 0.1).numbers[:, 200:])
    small_params()
    raw = parse_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    raw["train"]["model"], raw["faces"]["network"] = "features", "faceres"
    Path("params.yaml").write_text(yaml_text(raw), encoding="utf-8")
    return load_params(Path("params.yaml"))


def test_it_is_trained_scored_and_asked_like_any_model(
    seen: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    train.run(Stage("train", seen))
    assert "features, 8 numbers of each of" in capsys.readouterr().err
    evaluate.run(Stage("evaluate", seen))
    scored = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    assert scored["macro_f1"]["value"] > 0.9
    model = json.loads(Path("build/model/config.json").read_text(encoding="utf-8"))["folds"]["0"]
    assert model["macro_f1"] == pytest.approx(scored["macro_f1"]["value"])
    assert json.loads(Path("build/live/metrics.json").read_text(encoding="utf-8"))["valid"]["macro_f1"] > 0.9
    predict.run(Stage("predict", seen))
    assert pd.read_csv("reports/submission.csv")["ans"].tolist()[:3] == [15, 15, 15]
    weights = Path("build/model/fold0/model.safetensors").read_bytes()
    train.run(Stage("train", seen))
    assert Path("build/model/fold0/model.safetensors").read_bytes() == weights


def test_stages_that_need_pictures_say_why_they_do_nothing(
    seen: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    train.run(Stage("train", seen))
    reliance.run(Stage("reliance", seen))
    export.run(Stage("export", seen))
    said = capsys.readouterr().err
    assert "sees no composed picture" in said
    assert "no chain of open networks" in said
    report = json.loads(Path("reports/reliance.json").read_text(encoding="utf-8"))
    assert report["flip_rate"] is None
    assert Path("reports/reliance.png").is_file()
    with pytest.raises(UserError, match="set a timm name"):
        export.export_model(seen, Path("build/model"), Path("elsewhere"))


def test_params_that_it_does_not_go_with_are_refused(project: Path) -> None:
    with pytest.raises(UserError, match=r"faces\.network is none[\s\S]*train\.heads: joint"):
        small_params(model="features", heads="joint")
