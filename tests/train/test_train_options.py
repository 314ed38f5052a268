"""Every option of `train` trains, and does what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.networks.backends import cpu_has_bf16
from pipeline.params.learning import Train
from pipeline.train.config import resolve_config
from tests.fixtures.small_set import small_params, write_build
from tests.fixtures.small_training import curve, same, trained, weights

pytestmark = pytest.mark.usefixtures("project")


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "sgd", "schedule": "step", "decay_epochs": 1},
        {"optimizer": "adam", "schedule": "constant", "clip_grad": 1.0},
        {"optimizer": "lion", "layer_decay": 0.7},
        {"precision": "bf16", "loss": [{"f1": 0.7}, {"cross_entropy": 0.3}], "class_weights": "effective"},
        {"heads": "separate", "loss": "age_soft", "sampler": "age"},
        {
            "heads": "age_regression",
            "loss": "focal",
            "sampler": "class",
            "mix": "mixup",
            "mix_probability": 1.0,
        },
        {
            "heads": "coral",
            "age_classes": [20, 30, 45, 60],
            "mix": "both",
            "layer_decay": 0.7,
            "ema_decay": 0.9,
        },
        {"heads": "separate", "age_classes": [20, 29, 45, 57], "class_weights": "inverse", "mix": "mixup"},
        {"heads": "separate", "task_size": {"mask": 24}, "task_crop": {"age": 0.7}, "layer_decay": 0.7},
        {"age_classes": [30, 45, 60], "loss": [{"soft_ordinal": 0.5}, {"f1": 0.5}], "sampler": "age"},
        {"heads": "joint", "loss": "label_smoothing", "mix": "cutmix", "cutmix_boxes": "upper_half"},
        {"heads": "multitask", "class_weights": "inverse", "mix": "both", "freeze_epochs": 1},
    ],
    ids=lambda change: "-".join(str(v) for v in change.values()),
)
def test_every_option_trains(change: dict[str, object]) -> None:
    write_build(12)
    trained(small_params(epochs=1, **change))
    assert np.isfinite(curve("train/loss")).all()


def test_all_folds_give_a_model_each_and_curves_each() -> None:
    write_build(12)
    trained(small_params(folds="all", epochs=1))
    assert not same(weights(), weights("build/model/fold1/model.safetensors"))
    assert len(curve("fold0/train/loss")) == len(curve("fold1/train/loss")) == 1


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
    from pipeline.objective.objective import Objective, target_of
    from pipeline.train.config import resolve_config
    from pipeline.train.network import make_classifier
    from pipeline.train.optimizers import optimizer_of

    # vgg16 has 120 million weights in two layers otherwise
    thin: dict[str, float] = {"mlp_ratio": 0.01} if model == "vgg16" else {}
    params = Train(model=model, size=size, heads="multitask", optimizer="sgd", lr=0.01, model_args=thin)
    net = make_classifier(resolve_config(params))
    optimizer = optimizer_of(net, params)
    before = [p.detach().clone() for p in net.parameters()]
    target = target_of(np.array([0, 17]), np.array([20, 60], np.float32), torch.device("cpu"))
    Objective(params, np.ones(18, int), torch.device("cpu")).loss(
        net(torch.rand(2, 3, size, size)), target
    ).backward()
    optimizer.step()
    assert any(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize(
    ("model", "fast"),
    [("mobilenetv2_100", "f32"), ("efficientnet_b0", "f32"), ("resnet18", "bf16"), ("convnext_tiny", "bf16")],
)
def test_auto_takes_bfloat16_only_for_networks_that_gain_by_it(model: str, fast: str) -> None:
    found = resolve_config(Train(model=model, device="cpu")).precision
    assert found == (fast if cpu_has_bf16() else "f32")
