"""The train stage: who is learnt from, what is written, that it repeats, resumes and says what is wrong."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from pipeline.errors import UserError
from pipeline.inference import load_model
from pipeline.params import Params
from pipeline.params.training import Train
from stages import train, training_set
from stages.command import Stage
from tests.conftest import ROOT
from tests.small_set import small_params, write_build

pytestmark = pytest.mark.usefixtures("project")
WEIGHTS = "build/model/fold0/model.safetensors"


def trained(params: Params, limit: int | None = None) -> None:
    train.run(Stage("train", params, limit))


def weights(path: str = WEIGHTS) -> dict[str, torch.Tensor]:
    return load_file(path)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def curve(name: str) -> list[float]:
    return pd.read_csv(f"build/live/plots/metrics/{name}.tsv", sep="\t")[name.split("/")[-1]].tolist()


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


def test_never_learns_from_people_of_the_validation_fold_nor_from_dropped_photos() -> None:
    table = write_build()
    labels = pd.read_parquet("build/labels.parquet")
    dropped = table.loc[table["fold"] == 1, "image"].iloc[0]
    labels.loc[labels["image"] == dropped, "train_class"] = -1
    labels.to_parquet("build/labels.parquet")
    stage = Stage("train", small_params())
    rows = training_set.training_table(stage)
    learn, valid = training_set.sides(rows, training_set.examples_of(rows, stage)[0], 0)
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
    learn, valid = training_set.sides(rows, training_set.examples_of(rows, stage)[0], 0)
    assert (valid.classes == rows.iloc[valid.rows]["true_class"]).all()
    assert (learn.classes == rows.iloc[learn.rows]["train_class"]).all()


def test_same_params_give_the_same_bytes_and_another_seed_does_not() -> None:
    write_build()
    params = small_params(augment="flip_affine_blur", mix="both", ema=0.9)
    trained(params)
    first, curves = Path(WEIGHTS).read_bytes(), Path("build/live/metrics.json").read_bytes()
    trained(params)
    assert Path(WEIGHTS).read_bytes() == first
    assert Path("build/live/metrics.json").read_bytes() == curves
    trained(small_params(augment="flip_affine_blur", mix="both", ema=0.9, seed=1))
    assert Path(WEIGHTS).read_bytes() != first


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_training_killed_after_an_epoch_goes_on_and_ends_bit_for_bit_as_if_it_had_not_been(
    schedule: str,
) -> None:
    write_build(12)
    settings: dict[str, object] = {"epochs": 12, "augment": "flip_affine", "ema": 0.9, "schedule": schedule}
    settings |= {"model": "test_vit", "model_args": {"drop_rate": 0.2}, "patience": 1, "optimizer": "lion"}
    params = small_params(**settings)
    code = "from stages.command import run_stage; from stages.train import run; from pathlib import Path; "
    code += "raise SystemExit(run_stage('train', run, Path('params.yaml')))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment(), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if list(Path(".cache/checkpoints").glob("*/fold0.pt")):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert not Path("build/model").exists()
    trained(params)
    resumed, curves = weights(), curve("valid/loss")
    shutil.rmtree("build/model")
    trained(params)
    assert same(resumed, weights())
    assert curves == curve("valid/loss")
    assert len(curves) == 12


def environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}


def test_early_stopping_ends_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    write_build(12)
    trained(small_params(epochs=20, early_stopping=2, lr=1e-9, warmup_epochs=0))
    assert len(curve("train/loss")) < 20
    assert "best epoch" in capsys.readouterr().err


def test_all_folds_give_a_model_each_and_curves_each() -> None:
    write_build(12)
    trained(small_params(folds="all", epochs=1))
    assert not same(weights(), weights("build/model/fold1/model.safetensors"))
    assert len(curve("fold0/train/loss")) == len(curve("fold1/train/loss")) == 1


def test_frozen_backbone_does_not_move_and_layer_decay_moves_early_layers_less() -> None:
    write_build(12)
    params = small_params(epochs=1, freeze_epochs=1, warmup_epochs=0, weight_decay=0)
    torch.manual_seed(0)
    trained(params)
    frozen = weights()
    trained(small_params(epochs=1, freeze_epochs=1, warmup_epochs=0, weight_decay=0, lr=0.02))
    moved = {k for k, v in weights().items() if not torch.equal(v, frozen[k])}
    assert moved == {"fc.weight", "fc.bias"}


def test_limit_takes_that_many_people_of_every_fold_and_writes_below_quick() -> None:
    write_build()
    trained(small_params(epochs=1), limit=2)
    assert Path("quick/build/model/config.json").is_file()
    assert not Path("build/model").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "sgd", "schedule": "step", "step_epochs": 1},
        {"optimizer": "adam", "schedule": "constant", "clip": 1.0},
        {"optimizer": "lion", "layer_decay": 0.7},
        {"precision": "bf16", "loss": "soft_f1", "class_weights": "effective"},
        {"heads": "separate", "loss": "age_soft", "sampler": "age"},
        {
            "heads": "age_regression",
            "loss": "focal",
            "sampler": "class",
            "mix": "mixup",
            "mix_probability": 1.0,
        },
        {"heads": "joint", "loss": "label_smoothing", "mix": "cutmix", "mix_boxes": "upper_half"},
    ],
    ids=lambda change: "-".join(str(v) for v in change.values()),
)
def test_every_option_trains(change: dict[str, object]) -> None:
    write_build(12)
    trained(small_params(epochs=1, **change))
    assert np.isfinite(curve("train/loss")).all()


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("resnet18", 32),
        ("vgg16", 32),
        ("efficientnet_b2", 32),
        ("efficientnet_b3", 32),
        ("efficientnet_b4", 32),
        ("convnext_small", 32),
        ("vit_small_patch16_224", 48),
        ("mobilevit_s", 64),
    ],
)
def test_backbone_takes_a_step_and_answers(model: str, size: int) -> None:
    from pipeline.training.network import classifier
    from pipeline.training.objective import Objective, target_of
    from pipeline.training.optimizers import optimizer_of

    # vgg16 has 120 million weights in two layers otherwise
    thin: dict[str, float] = {"mlp_ratio": 0.01} if model == "vgg16" else {}
    params = Train(model=model, size=size, heads="multitask", optimizer="sgd", lr=0.01, model_args=thin)
    net = classifier(params)
    optimizer = optimizer_of(net, params)
    before = [p.detach().clone() for p in net.parameters()]
    target = target_of(np.array([0, 17]), np.array([20, 60], np.float32), torch.device("cpu"))
    Objective(params, np.ones(18, int), torch.device("cpu")).loss(
        net(torch.rand(2, 3, size, size)), target
    ).backward()
    optimizer.step()
    assert any(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_two_processes_give_the_scores_of_one() -> None:
    write_build()
    settings: dict[str, object] = {"epochs": 6, "lr": 0.01, "augment": "flip_affine_blur"}
    trained(small_params(**settings))
    alone = {name: curve(name) for name in ("train/loss", "valid/macro_f1", "valid/age_macro_f1")}
    trained(small_params(**settings, processes=2))
    for name, values in alone.items():
        np.testing.assert_allclose(curve(name), values, atol=0.01, err_msg=name)


def test_model_files_load_into_plain_timm() -> None:
    import timm

    write_build(12)
    trained(small_params(epochs=1))
    timm.create_model("test_resnet", num_classes=8).load_state_dict(weights())


def test_local_checkpoint_is_started_from_and_a_head_of_another_size_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_build(12)
    trained(small_params(epochs=1))
    own = load_model(Path("build/model"), small_params().train, 0).net.state_dict()
    shutil.copy(WEIGHTS, "start.safetensors")
    trained(small_params(epochs=1, heads="joint", pretrained="start.safetensors", freeze_epochs=1))
    assert "the head of start.safetensors is not this one" in capsys.readouterr().err
    assert torch.equal(
        weights()["conv1.0.weight" if "conv1.0.weight" in own else "conv1.weight"],
        own["conv1.0.weight" if "conv1.0.weight" in own else "conv1.weight"],
    )


def test_imagenet_backbone_of_the_shared_weights_loads(test_data: Path) -> None:
    from pipeline.training.network import classifier

    path = test_data.parent / "weights" / "mobilenetv2_100_imagenet1k_int8deq_timm.pth"
    if not path.is_file():
        pytest.skip("no ImageNet backbone beside the test data")
    params = Train(
        model="mobilenetv2_100", model_args={"pad_type": "same"}, normalize="half", pretrained=str(path)
    )
    net = classifier(params)
    assert torch.equal(
        net.net.state_dict()["conv_stem.weight"], torch.load(path, weights_only=True)["conv_stem.weight"]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "resnet81"}, "did you mean `resnet18`"),
        ({"optimizer": "adamww"}, "did you mean `adamw`"),
        ({"augment": "flipp"}, "did you mean `flip`"),
        ({"model": "test_vit", "size": 33}, "train.size"),
        ({"model_args": {"wrong": 1}}, "wrong"),
        ({"pretrained": "nowhere.pth"}, "nowhere.pth"),
        ({"mix": "cutmix", "mix_boxes": "eyes"}, "boxes.parquet"),
        ({"precision": "f16"}, "f16"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_in_a_sentence(change: dict[str, object], words: str) -> None:
    write_build(12)
    with pytest.raises(UserError, match=words.replace("`", ".").replace(".", r"\.").replace(r"\.", ".")):
        trained(small_params(**change))


def test_cuda_asked_for_and_absent_is_an_error_not_a_slow_run() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    write_build(12)
    with pytest.raises(UserError, match="no CUDA device"):
        trained(small_params(device="cuda"))


def test_weights_that_do_not_fit_are_refused_with_the_list() -> None:
    write_build(12)
    torch.save({"layer.weight": torch.zeros(3)}, "other.pth")
    with pytest.raises(UserError, match=r"unexpected layer\.weight"):
        trained(small_params(pretrained="other.pth"))


def test_weights_that_cannot_be_fetched_are_said_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "nothing-here")
    write_build(12)
    start = time.monotonic()
    with pytest.raises(UserError, match="cannot be fetched"):
        trained(small_params(model="resnet18", pretrained=True))
    assert time.monotonic() - start < 20


def test_help_does_not_import_torch() -> None:
    code = "import sys, stages.train, stages.evaluate, stages.predict; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode == 0
