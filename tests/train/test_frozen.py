"""Frozen epochs: the backbone looks at each picture once, and the heads learn what they would anyway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from pipeline.params import Params
from pipeline.params.loading import parse_yaml
from pipeline.params.overrides import yaml_text
from pipeline.train.checkpoint import Progress
from pipeline.train.config import resolve_config
from pipeline.train.frozen import FrozenPart
from pipeline.train.head_inputs import HeadInputs
from pipeline.train.loop import fit
from pipeline.train.network import Classifier, make_classifier
from stages.shared.command import Stage
from stages.shared.training_set import training_set
from tests.fixtures.small_set import small_params, write_build, write_faces
from tests.fixtures.small_training import WEIGHTS, curve, followed, trained

pytestmark = pytest.mark.usefixtures("project")
EPOCHS = 4


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many pictures whole networks look at within it, by batch; the black one of a trial is none."""
    found: list[int] = []

    def look(module: nn.Module, given: Any) -> None:
        if isinstance(module, Classifier):
            found.append(int(given[0].flatten(1).any(dim=1).sum()))

    hook = register_module_forward_pre_hook(look)
    try:
        yield found
    finally:
        hook.remove()


def sizes(params: Params) -> tuple[int, int]:
    learn, valid = training_set(Stage("train", params)).sides(0)
    return len(learn), len(valid)


def ask_faceres() -> None:
    raw = parse_yaml(Path("params.yaml").read_text(encoding="utf-8"))
    raw["faces"]["network"] = "faceres"
    Path("params.yaml").write_text(yaml_text(raw), encoding="utf-8")


def test_linear_probing_looks_at_each_picture_once() -> None:
    write_build(12)
    params = small_params(epochs=EPOCHS, freeze_epochs=EPOCHS)
    with counted() as seen:
        trained(params)
    assert sum(seen) == sum(sizes(params))
    assert len(curve("valid/macro_f1")) == EPOCHS


@pytest.mark.parametrize(
    "change",
    [
        {"ema_decay": 0.5, "freeze_epochs": 2},
        {"model": "test_vit", "model_args": {"drop_rate": 0.3}, "clip_grad": 0.5},
        {"heads": "separate", "task_size": {"mask": 24}, "task_crop": {"age": 0.7}},
        {"heads": "age_regression", "sampler": "one_mask_age"},
        {"heads": "coral"},
        {"face_features": "append", "heads": "coral", "precision": "bf16"},
    ],
    ids=["averaged", "dropout", "separate", "sampled", "coral", "faces"],
)
def test_curves_are_those_of_a_network_that_looks_in_each_epoch(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_build(12, synthetic=False)
    write_faces(list(table["image"]), "faceres", np.random.default_rng(0).standard_normal((len(table), 6)))
    ask_faceres()
    params = small_params(**{"epochs": EPOCHS, "freeze_epochs": EPOCHS, "lr": 0.02, **change})
    with counted() as seen:
        once = followed(params)[-1]
    with monkeypatch.context() as patch, counted() as each:
        patch.setattr(FrozenPart, "inputs", lambda *_: None)
        again = followed(params)[-1]
    assert sum(seen) < sum(each)
    coarse = change.get("precision") == "bf16"
    for now, then in zip(once.history, again.history, strict=True):
        assert now == pytest.approx(then, abs=0.02 if coarse else 1e-4)
    assert once.history[0]["train/loss"] != pytest.approx(once.history[-1]["train/loss"], abs=1e-3)
    for name, weight in once.parts["net"].items():
        torch.testing.assert_close(weight, again.parts["net"][name], atol=0.02 if coarse else 1e-3, rtol=0)


def test_pictures_that_change_are_looked_at_again_and_those_to_validate_on_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_build(12)
    params = small_params(epochs=EPOCHS, freeze_epochs=EPOCHS, augment="flip", mix="mixup")
    with counted() as seen:
        trained(params)
    learn, valid = sizes(params)
    assert sum(seen) == EPOCHS * learn + valid
    assert "as train.augment: flip, train.mix: mixup changes the pictures" in capsys.readouterr().err


def test_one_of_several_masks_is_looked_at_when_an_epoch_shows_it() -> None:
    write_build(12, synthetic=False)
    params = small_params(epochs=1, freeze_epochs=1, sampler="one_mask")
    with counted() as seen:
        trained(params)
    learn, valid = sizes(params)
    assert sum(seen) == learn * 3 // 4 + valid  # of four photos of a person two show the mask worn


def test_a_training_that_stopped_while_frozen_ends_bit_for_bit_as_if_it_had_not(tmp_path: Path) -> None:
    write_build(12)
    params = small_params(epochs=EPOCHS, freeze_epochs=3, sampler="one_mask", model="test_vit")
    trained(params)
    whole = Path(WEIGHTS).read_bytes()
    learn, valid = training_set(Stage("train", params)).sides(0)

    def stop(history: list[dict[str, float]]) -> None:
        if len(history) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(learn, valid, resolve_config(params.train), 0, tmp_path / "stopped.pt", stop)
    resumed = fit(learn, valid, resolve_config(params.train), 0, tmp_path / "stopped.pt", lambda _: None)
    from safetensors.torch import save

    assert save(resumed.state) == whole
    assert Progress.load(tmp_path / "stopped.pt")


@pytest.mark.parametrize(
    "model", ["test_byobnet", "test_efficientnet", "test_nfnet", "test_convnext", "vgg16"]
)
def test_heads_alone_answer_as_the_whole_network_does(model: str) -> None:
    thin = {"model_args": {"mlp_ratio": 0.01}} if model == "vgg16" else {}
    write_build(12, synthetic=False)
    params = small_params(model=model, **thin)
    _, valid = training_set(Stage("train", params)).sides(0)
    config = resolve_config(params.train)
    net = make_classifier(config)
    kept = HeadInputs(net, valid, config)
    assert kept.compute(lambda _: np.arange(len(valid)), 0)
    where = np.arange(len(valid))[::-3].copy()
    images = valid.load_batch(where, 0).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        torch.testing.assert_close(kept.outputs(net, where), net.eval()(images), atol=1e-4, rtol=1e-3)


def test_a_network_of_two_heads_trains_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    write_build(12, synthetic=False)
    params = small_params(model="deit_tiny_distilled_patch16_224", epochs=2, freeze_epochs=1)
    first, second = followed(params)
    assert "deit_tiny_distilled_patch16_224 does not answer by its head alone" in capsys.readouterr().err
    moved = {n for n, w in second.parts["net"].items() if not torch.equal(w, first.parts["net"][n])}
    assert {"net.head.weight", "net.head_dist.weight", "net.patch_embed.proj.weight"} <= moved
