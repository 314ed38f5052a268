"""The stage export: the same bytes each time, networks that agree, a card that tells the truth."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cleanplate.predict.runtimes import load_network
from pipeline.evaluate.calibration import tempered
from pipeline.labels import AGE_GROUPS, CLASSES, GENDERS
from pipeline.params import load_params
from pipeline.params.learning import Predict
from pipeline.runtime.errors import UserError
from stages.export import export_model
from tests.fixtures.pixel_project import bytes_below
from tests.fixtures.trained_demo import change_params, run_stages

pytestmark = pytest.mark.timeout(900)  # the first test of a session trains the demo
RNG = np.random.default_rng(3)


def bytes_of(low: int, *shape: int) -> np.ndarray:
    return RNG.integers(low, 256, shape, np.uint8)


def both(folder: Path, name: str, x: np.ndarray) -> list[list[np.ndarray]]:
    """The outputs of a network on OpenVINO and on onnxruntime."""
    pytest.importorskip("onnxruntime")
    return [load_network(folder, name, "openvino")(x), load_network(folder, name, "onnxruntime")(x)]


def assert_agree(outputs: list[list[np.ndarray]], tolerance: float = 1e-4) -> None:
    one, other = outputs
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.shape == b.shape
        assert np.abs(a.astype(np.float64) - b).max() < tolerance


@pytest.fixture(scope="module")
def again(trained_demo: Path) -> Path:
    """A second export of the demo, for which the U-Net's graph is converted anew."""
    graphs = list((trained_demo / ".cache/compiled").glob("unet-*"))
    assert graphs
    for graph in graphs:
        shutil.rmtree(graph)
    with chdir(trained_demo):
        export_model(load_params(Path("params.yaml")), Path("build/model"), Path("again"))
    return trained_demo / "again"


def test_two_exports_are_the_same_bytes(trained_demo: Path, again: Path) -> None:
    first, second = bytes_below(trained_demo / "build/export"), bytes_below(again)
    assert first == second
    assert {"onnx/fold0.onnx", "openvino/fold0.xml", "openvino/unet.bin", "chain.json", "card.json"} <= set(
        first
    )
    for name, content in first.items():
        assert str(trained_demo).encode() not in content, f"{name} names a folder of this machine"


@pytest.mark.parametrize(
    "heads",
    [
        {"heads": "joint"},
        {"heads": "multitask"},
        {"heads": "separate"},
        {"heads": "age_regression"},
        {"heads": "coral", "age_classes": (20, 30, 45, 60)},
        {"heads": "separate", "task_size": {"mask": 24}, "task_crop": {"age": 0.6}},
        {"heads": "multitask", "age_classes": (20, 29, 45, 57)},
    ],
    ids=str,
)
def test_every_kind_of_heads_agrees_with_torch(heads: dict[str, Any], tmp_path: Path) -> None:
    """With all views: mirrored, enlarged and reduced pictures are inside the network."""
    pytest.importorskip("onnx")
    from safetensors.torch import save_file

    from pipeline.export.classifier import write_classifier
    from pipeline.params.learning import Train
    from pipeline.train.config import resolve_config
    from pipeline.train.data import Pictures
    from pipeline.train.inference import load_model, predict_probabilities
    from pipeline.train.network import make_classifier

    torch.manual_seed(1)
    config = resolve_config(Train(model="test_resnet", size=32, device="cpu", precision="f32", **heads))
    state = make_classifier(config, weights=False).net.state_dict()
    (tmp_path / "fold0").mkdir()
    save_file(
        {k: v.contiguous() * (30 if "fc.weight" in k else 1) for k, v in state.items()},
        tmp_path / "fold0/model.safetensors",
    )
    predict = Predict(tta_flip=True, tta_scales=(1.0, 1.2, 0.8))
    step = write_classifier(tmp_path, config, [0], predict, tmp_path)
    pixels = bytes_of(0, 5, 32, 32, 3)
    wanted = predict_probabilities(
        load_model(tmp_path, config, 0), Pictures((pixels,)), config, flip=True, scales=predict.tta_scales
    )
    assert wanted.max() > 2 / CLASSES
    outputs = both(tmp_path, step["networks"][0], pixels)
    assert_agree(outputs)
    assert_agree([outputs[0], [wanted]])


def log_loss(p: np.ndarray, truth: pd.Series) -> float:
    """The mean negative logarithm of the probability of the truth."""
    return float(-np.log(np.maximum(p[np.arange(len(p)), truth], 1e-300)).mean())


def test_the_card_says_what_the_reports_say(trained_demo: Path) -> None:
    export = trained_demo / "build/export"
    card = json.loads((export / "card.json").read_text())
    facts: dict[str, Any] = card["cleanplate"]
    evaluated = json.loads((trained_demo / "reports/evaluate.json").read_text())
    (model,) = card["model-index"]
    by_task = {result["task"]["name"]: result["metrics"] for result in model["results"]}
    assert by_task["class"][0]["value"] == pytest.approx(evaluated["macro_f1"]["value"], abs=1e-6)
    assert by_task["mask"][1]["value"] == pytest.approx(evaluated["mask"]["accuracy"]["value"], abs=1e-6)
    predictions = pd.read_parquet(trained_demo / "reports/predictions.parquet")
    assert sum(group["photos"] for group in facts["groups"]) == len(predictions)
    right = predictions["true_class"] == predictions["predicted"]
    for group in facts["groups"]:
        gender, age = GENDERS.index(group["gender"]), AGE_GROUPS.index(group["age_group"])
        own = predictions[predictions["true_class"] % 6 == 3 * gender + age]
        assert (group["photos"], group["people"]) == (len(own), own["person"].nunique())
    of_groups = sum(g["photos"] * g["scores"]["class"]["accuracy"]["value"] for g in facts["groups"])
    assert of_groups == pytest.approx(right.sum())
    labels = pd.read_parquet(trained_demo / "build/labels.parquet")
    learnt = labels[(labels["train_class"] >= 0) & ~labels["person"].isin(predictions["person"])]
    assert facts["data"]["trained_photos"] == len(learnt) < len(labels)
    assert facts["data"]["people"] == learnt["person"].nunique()
    changed = pd.read_csv(trained_demo / "build/relabel.csv", dtype=str)
    assert facts["data"]["dropped"] == (changed["field"] == "drop").sum()
    assert facts["data"]["quarantined"] == len(pd.read_csv(trained_demo / "build/quarantine.csv"))
    reliance = json.loads((trained_demo / "reports/reliance.json").read_text())
    assert facts["reliance"]["flip_rate"]["value"] == pytest.approx(reliance["flip_rate"])
    p = predictions[[f"p{c}" for c in range(CLASSES)]].to_numpy()
    best = facts["calibration"]["temperature"]
    assert best == json.loads((export / "chain.json").read_text())["calibrate"]["temperature"]
    surprise = [log_loss(tempered(p, best * by), predictions["true_class"]) for by in (0.8, 1, 1.25)]
    assert min(surprise) == surprise[1] < log_loss(p, predictions["true_class"])
    assert {w["licence"] for w in facts["weights"] if w["use"] == "detector"} == {"MIT"}
    assert all("CelebA" in w["trained_on"] for w in facts["weights"] if w["use"] == "detector")
    text = (export / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlanguage: ")
    assert f"license: {json.dumps(card['license'])}" in text
    for word in (
        "policing",
        "CelebA",
        facts["data"]["fingerprint"],
        "female <30",
        "another background".capitalize(),
    ):
        assert word in text


def test_params_that_nothing_was_made_with_are_refused(trained_demo: Path, tmp_path: Path) -> None:
    params = (trained_demo / "params.yaml").read_bytes()
    with chdir(trained_demo):
        try:
            for section, changed in (("compose", {"margin": 0.5}), ("train", {"lr": 0.5})):
                change_params({section: changed})
                with pytest.raises(UserError, match=r"params\.yaml is not what"):
                    export_model(load_params(Path("params.yaml")), Path("build/model"), tmp_path / "out")
                Path("params.yaml").write_bytes(params)
        finally:
            Path("params.yaml").write_bytes(params)
    assert not (tmp_path / "out").exists()


def test_a_missing_report_names_the_stage(trained_demo: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(trained_demo, project, symlinks=True)
    (project / "reports/predictions.parquet").unlink()
    with chdir(project), pytest.raises(AssertionError, match="dvc repro evaluate"):
        run_stages("export")
