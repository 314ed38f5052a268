"""The train stage: who is learnt from, what is written, and what is said where it cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from pipeline.runtime.errors import UserError
from stages import evaluate
from stages.shared import training_set
from stages.shared.command import Stage
from stages.train import is_handed_over
from tests.fixtures.small_set import small_params, write_build
from tests.fixtures.small_training import curve, environment, trained

pytestmark = pytest.mark.usefixtures("project")


def test_learns_writes_the_best_epoch_and_curves_with_columns_that_dvc_draws() -> None:
    write_build()
    trained(small_params(epochs=10, lr=0.02))
    config = json.loads(Path("build/model/config.json").read_text(encoding="utf-8"))
    scores = curve("valid/macro_f1")
    assert len(scores) == len(curve("train/loss")) == 10
    assert curve("train/loss")[-1] < curve("train/loss")[0]
    assert config["folds"]["0"]["macro_f1"] == max(scores)
    assert max(scores) > 0.9
    assert not list(Path(".cache/checkpoints").glob("*"))


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_of_three_networks_each_keeps_its_own_best_epoch(ema: float) -> None:
    write_build()
    params = small_params(heads="separate", epochs=6, lr=0.02, ema_decay=ema)
    trained(params)
    evaluate.run(Stage("evaluate", params))
    fold = json.loads(Path("build/model/config.json").read_text(encoding="utf-8"))["folds"]["0"]
    found = json.loads(Path("reports/evaluate.json").read_text(encoding="utf-8"))
    for task in ("mask", "gender", "age"):
        score, loss = curve(f"valid/{task}_macro_f1"), curve(f"valid/{task}_loss")
        best = max(range(6), key=lambda epoch: (score[epoch], -loss[epoch]))
        assert fold["best_epoch"][task] == best + 1
        assert found[task]["macro_f1"]["value"] == pytest.approx(max(score))
    assert len(set(fold["best_epoch"].values())) > 1, "all are of one epoch: this shows nothing"
    assert fold["macro_f1"] == pytest.approx(found["macro_f1"]["value"])


def test_never_learns_from_people_of_the_validation_fold_nor_from_dropped_photos() -> None:
    table = write_build()
    labels = pd.read_parquet("build/labels.parquet")
    dropped = table.loc[table["fold"] == 1, "image"].iloc[0]
    labels.loc[labels["image"] == dropped, "train_class"] = -1
    labels.to_parquet("build/labels.parquet")
    stage = Stage("train", small_params())
    rows = training_set.training_table(stage)
    learn, valid = training_set.sides(rows, training_set.load_examples(rows, stage)[0], 0)
    learnt, held = rows.iloc[learn.rows], rows.iloc[valid.rows]
    assert not set(learnt["person"]) & set(held["person"])
    assert set(held["fold"]) == {0}
    assert not held["synthetic"].any()
    assert learnt["synthetic"].any()
    assert dropped not in set(learnt["image"])  # neither the photo nor its synthetic copy
    assert len(learnt) == 2 * (table["fold"] == 1).sum() - 2


def test_validation_is_scored_against_the_true_class_whatever_the_training_target() -> None:
    write_build()
    labels = pd.read_parquet("build/labels.parquet")
    labels["train_class"] = 17 - labels["true_class"]
    labels.to_parquet("build/labels.parquet")
    stage = Stage("train", small_params())
    rows = training_set.training_table(stage)
    learn, valid = training_set.sides(rows, training_set.load_examples(rows, stage)[0], 0)
    assert (valid.classes == rows.iloc[valid.rows]["true_class"]).all()
    assert (learn.classes == rows.iloc[learn.rows]["train_class"]).all()


def test_limit_takes_that_many_people_of_every_fold_and_writes_below_quick() -> None:
    write_build()
    trained(small_params(epochs=1), limit=2)
    assert Path("quick/build/model/config.json").is_file()
    assert not Path("build/model").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "resnet81"}, "did you mean `resnet18`"),
        ({"optimizer": "adamww"}, "did you mean `adamw`"),
        ({"optimizer": "adahessian"}, "needs second derivatives"),
        ({"augment": "flipp"}, "did you mean `flip`"),
        ({"model": "test_vit", "size": 33}, "train.size"),
        ({"model_args": {"wrong": 1}}, "wrong"),
        ({"pretrained": "nowhere.pth"}, "nowhere.pth"),
        ({"mix": "cutmix", "cutmix_boxes": "eyes"}, "boxes.parquet"),
        ({"precision": "f16"}, "f16"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_in_a_sentence(change: dict[str, object], words: str) -> None:
    write_build(12)
    with pytest.raises(UserError, match=words.replace("`", ".").replace(".", r"\.").replace(r"\.", ".")):
        trained(small_params(**change))


def test_a_repository_without_a_commit_is_told_how_to_make_one() -> None:
    write_build(12)
    Path(".dvc").mkdir()
    subprocess.run(["git", "init", "-q"], check=True)
    with pytest.raises(UserError, match="git commit"):
        trained(small_params(epochs=1))


def test_cuda_asked_for_and_absent_is_an_error_not_a_slow_run() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    write_build(12)
    with pytest.raises(UserError, match="no CUDA device"):
        trained(small_params(device="cuda"))


def test_help_does_not_import_torch() -> None:
    code = "import sys, stages.train, stages.evaluate, stages.predict; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode == 0


@pytest.mark.parametrize(
    ("train", "engine", "handed_over"),
    [
        ({}, "local", False),
        ({"processes": 2}, "local", True),
        ({}, "ray", True),
        ({"model": "mobilenetv2_100", "pretrained": True}, "ray", True),  # a package of every node has these
        ({"model": "resnet18", "pretrained": True}, "ray", False),  # this machine alone may have fetched them
        ({"pretrained": "own.safetensors"}, "ray", False),
        ({"background_swap": 0.5}, "ray", False),
    ],
)
def test_a_training_goes_to_a_node_where_a_node_has_all_it_reads(
    train: dict[str, object], engine: str, handed_over: bool
) -> None:
    params = small_params(**train)
    machine = params.machine.model_copy(update={"engine": engine})
    assert is_handed_over(params.model_copy(update={"machine": machine})) is handed_over
