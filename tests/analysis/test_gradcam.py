"""Grad-CAM: where a network looks, on real timm networks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from pipeline.analysis.contact_sheet import CELL
from pipeline.analysis.reliance.gradcam import MIN_CELLS, cams, last_maps, log_odds, outside_share
from pipeline.analysis.reliance.gradcam_sheet import overlaid
from pipeline.labels import TASKS
from pipeline.params.learning import Train
from pipeline.train.config import resolve_config
from pipeline.train.network import Classifier, make_classifier

SIZE = 64


def made(model: str, heads: str = "multitask", size: int = SIZE) -> tuple[Classifier, Train]:
    torch.manual_seed(0)
    params = Train.model_validate(
        {"model": model, "heads": heads, "size": size, "device": "cpu", "precision": "f32"}
    )
    return make_classifier(resolve_config(params), weights=False).eval(), params


def pictures(count: int = 2, size: int = SIZE) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "model",
    ["resnet18", "mobilenetv3_small_050", "efficientnet_lite0", "convnext_atto", "regnetx_002", "vgg11"],
)
def test_any_convolutional_backbone_has_a_map_per_task(model: str) -> None:
    net, params = made(model)
    found = cams(net, pictures(), params)
    assert found is not None
    assert list(found) == list(TASKS)
    for cam in found.values():
        assert cam.shape == (2, SIZE, SIZE)
        assert (cam >= 0).all()
    assert sum(float(cam.sum()) for cam in found.values()) > 0


def test_a_network_that_sees_the_middle_has_its_map_there() -> None:
    torch.manual_seed(0)
    raw = {"model": "test_resnet", "heads": "separate", "size": SIZE, "device": "cpu", "precision": "f32"}
    params = Train.model_validate(raw | {"task_crop": {"age": 0.5}, "task_size": {"age": 48}})
    net = make_classifier(resolve_config(params), weights=False).eval()
    found = cams(net, pictures(), params)
    assert found is not None
    age = found["age"]
    assert age.shape == (2, SIZE, SIZE)
    middle = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    middle[16:48, 16:48] = True
    assert (age[:, middle] > 0).any()
    assert (age[:, ~middle] == 0).all()
    assert (found["mask"][:, ~middle] > 0).any()


def hooks_in(net: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in net.modules())


@pytest.mark.parametrize("heads", ["joint", "multitask", "separate", "age_regression", "coral"])
def test_all_heads_and_the_network_is_left_as_it_was(heads: str) -> None:
    net, params = made("test_resnet", heads)
    before, hooks = net(pictures()).detach(), hooks_in(net)
    found = cams(net, pictures(), params)
    assert found is not None
    assert sum(float(cam.sum()) for cam in found.values()) > 0
    assert torch.equal(net(pictures()).detach(), before)
    assert all(p.grad is None for p in net.parameters())
    assert hooks_in(net) == hooks


def test_channels_last_networks_and_transformers() -> None:
    net, params = made("swin_tiny_patch4_window7_224", size=224)
    found = cams(net, pictures(1, 224), params)
    assert found is not None
    assert found["age"].shape == (1, 224, 224)
    net, params = made("vit_tiny_patch16_224", size=64)
    assert cams(net, pictures(), params) is None


@pytest.mark.parametrize(("size", "cells"), [(224, 7), (192, 6), (96, 6), (64, 8)])
def test_maps_are_never_too_coarse_to_say_where(size: int, cells: int) -> None:
    net, _ = made("resnet18", size=size)
    stage = last_maps(net.net, size)
    assert stage is not None
    sides: list[int] = []

    def note(module: nn.Module, given: Any, out: torch.Tensor) -> None:
        sides.append(out.shape[-1])

    stage.module.register_forward_hook(note)
    net(pictures(1, size))
    assert sides == [cells]
    assert cells >= MIN_CELLS


class Corners(nn.Module):
    """Red in the upper left corner speaks for its answer, blue in the lower right against it; 8 × 8 maps."""

    feature_info = ({"module": "maps", "num_chs": 3, "reduction": 8},)

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.AvgPool2d(8)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        maps = self.maps(pixels)
        outputs = torch.zeros(len(pixels), 18)
        outputs[:, 7] = 9 * maps[:, 0, :2, :2].mean(dim=(1, 2)) - 2 * maps[:, 2, -2:, -2:].mean(dim=(1, 2))
        return outputs


def test_energy_lies_where_the_answer_comes_from() -> None:
    params = Train.model_validate({"heads": "joint", "size": SIZE, "device": "cpu", "precision": "f32"})
    model = Classifier(Corners(), (0.0,) * 3, (1.0,) * 3).eval()
    picture = torch.zeros(1, 3, SIZE, SIZE)
    picture[:, 0, :16, :16] = 1
    picture[:, 2, -16:, -16:] = 1
    found = cams(model, picture, params)
    assert found is not None
    cam = found["class"].numpy()
    alpha = np.full((1, SIZE, SIZE), 255, np.uint8)
    alpha[:, :20, :20] = 0  # the upper left corner is background
    assert outside_share(cam, alpha)[0] > 0.95
    assert outside_share(cam, 255 - alpha)[0] < 0.05


def test_share_outside_by_hand() -> None:
    cam = np.zeros((2, 2, 2), np.float32)
    cam[0] = [[3, 1], [0, 0]]
    alpha = np.array([[[255, 0], [0, 0]]] * 2, np.uint8)
    found = outside_share(cam, alpha)
    assert found[0] == pytest.approx(0.25)
    assert np.isnan(found[1])  # nothing speaks for the answer: no share


def test_score_keeps_its_slope_where_the_network_is_sure() -> None:
    logits = torch.tensor([[30.0, 0.0, -5.0]], requires_grad=True)
    odds = log_odds(logits.softmax(dim=1), torch.tensor([0]))
    (slope,) = torch.autograd.grad(odds.sum(), logits)
    assert float(odds.detach()[0]) == pytest.approx(30, abs=0.1)
    assert float(slope[0, 0]) == pytest.approx(1, abs=1e-3)


def test_overlay_is_red_at_the_most_and_shows_the_outline() -> None:
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    cam = np.zeros((SIZE, SIZE), np.float32)
    cam[40:60, 40:60] = 3
    alpha = cv2.circle(np.zeros((SIZE, SIZE), np.uint8), (20, 20), 12, 255, -1)
    out = overlaid(picture, cam, alpha).astype(int)
    assert out.shape == (CELL, CELL, 3)
    most, least = out[150, 150], out[190, 10]
    assert most[0] > most[2] + 20
    assert least[2] >= least[0]
    assert ((out == 255).all(axis=2)).any()
