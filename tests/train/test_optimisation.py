"""What a step does to the weights: optimisers, decay, clipping, rates by layer, freezing, averaging."""

from __future__ import annotations

import re

import pytest
import torch

from pipeline.params import Params
from pipeline.train.optimizers import optimizer_of
from tests.fixtures.small_set import small_params, write_build
from tests.fixtures.small_training import before, followed, gradients, learnt_from

pytestmark = pytest.mark.usefixtures("project")
Weights = dict[str, torch.Tensor]
LR = 0.01


def one_step(**changes: object) -> Params:
    """Params under which an epoch is one step over all 48 pictures at a known rate."""
    settings: dict[str, object] = {"batch_size": 48, "epochs": 1, "lr": LR, "weight_decay": 0.0}
    settings |= {"schedule": "constant", "warmup_epochs": 0}
    # timm begins with blocks that pass their input on, and within them nothing has a gradient
    return small_params(**settings | {"model_args": {"zero_init_last": False}} | changes)


def stepped(params: Params) -> tuple[Weights, Weights]:
    """Each parameter before and after the first epoch."""
    write_build(12)
    (found, *_) = followed(params)
    own = {name: p.detach().clone() for name, p in before(params).named_parameters()}
    return own, {name: found.parts["net"][name] for name in own}


def moved(params: Params) -> Weights:
    own, after = stepped(params)
    return {name: after[name] - own[name] for name in own}


def norm(of: Weights) -> float:
    return float(torch.cat([v.flatten() for v in of.values()]).norm())


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW"), ("lion", "Lion")]
)
def test_first_step_of_each_optimiser_by_hand(name: str, kind: str) -> None:
    decay = 0.5
    params = one_step(optimizer=name, weight_decay=decay)
    optimizer = optimizer_of(before(params), params.train)
    assert type(optimizer).__name__ == kind
    assert {group["lr"] for group in optimizer.param_groups} == {LR}
    own, after = stepped(params)
    for weight, g in gradients(params, learnt_from(params)).items():
        p = own[weight]
        wd = decay if p.ndim > 1 else 0.0  # biases and norms are not decayed
        l2, clear = g + wd * p, torch.ones_like(g, dtype=torch.bool)
        if name == "sgd":  # Nesterov momentum 0.9: the gradient, and 0.9 of it ahead
            expected = p - LR * 1.9 * l2
        elif name == "adam":  # a first step is of the size of the rate; the decay is in the gradient
            expected, clear = p - LR * l2.sign(), l2.abs() > 1e-4
        else:  # decoupled decay
            expected, clear = p * (1 - LR * wd) - LR * g.sign(), g.abs() > 1e-4
        assert clear.any(), weight
        torch.testing.assert_close(after[weight][clear], expected[clear], atol=1e-5, rtol=1e-3)


def test_clipping_shortens_the_gradient_to_its_norm_and_keeps_its_direction() -> None:
    free = moved(one_step(optimizer="sgd"))
    assert norm(free) > 3 * LR * 1.9 * 0.1, "the gradient is short already: this shows nothing"
    short = moved(one_step(optimizer="sgd", clip_grad=0.1))
    assert norm(short) == pytest.approx(LR * 1.9 * 0.1, rel=1e-3)
    shrunk = norm(short) / norm(free)
    for name, way in short.items():
        torch.testing.assert_close(way, free[name] * shrunk, atol=1e-6, rtol=1e-2)
    unharmed = moved(one_step(optimizer="sgd", clip_grad=1000))
    assert norm(unharmed) == pytest.approx(norm(free), rel=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_each_layer_of_resnet18_learns_at_half_the_rate_of_the_next(schedule: str) -> None:
    params = one_step(model="resnet18", optimizer="lion", layer_decay=0.5, schedule=schedule)
    layers = ["conv1|bn1", *(rf"layer{k}\.{j}\." for k in (1, 2, 3, 4) for j in (0, 1)), "fc"]
    seen = set()
    for name, way in moved(params).items():
        (layer,) = (k for k, pattern in enumerate(layers) if re.match(rf"net\.({pattern})", name))
        rate = LR * 0.5 ** (len(layers) - 1 - layer)
        # Lion moves every weight that has a gradient by exactly the rate
        assert way[way != 0].abs().median().item() == pytest.approx(rate, rel=0.02), name
        seen.add(layer)
    assert seen == set(range(10))


def test_frozen_layers_and_their_batch_norms_stand_still_and_move_afterwards() -> None:
    write_build(12)
    params = small_params(epochs=2, freeze_epochs=1, warmup_epochs=0, weight_decay=0.1)
    own = {name: v.clone() for name, v in before(params).state_dict().items()}
    first, second = (found.parts["net"] for found in followed(params))
    changed = {name for name in own if not torch.equal(first[name], own[name])}
    assert changed == {"net.fc.weight", "net.fc.bias"}
    still = {name for name in own if torch.equal(second[name], first[name])}
    assert not still
    assert any("running_mean" in name for name in own)


def test_averaged_weights_by_hand() -> None:
    write_build(12)
    params = one_step(epochs=6, ema_decay=0.5, lr=0.05, optimizer="sgd")
    found = followed(params)
    name = "net.fc.weight"
    expected = found[0].parts["net"][name]
    for step, now in enumerate(found):
        # the average starts as the weights themselves and takes up its decay as more is behind it
        decay = 0.0 if step < 2 else min(0.5, 1 - step ** (-2 / 3))
        expected = decay * expected + (1 - decay) * now.parts["net"][name]
        torch.testing.assert_close(now.parts["ema"][f"module.{name}"], expected)
    assert not torch.equal(expected, found[-1].parts["net"][name])
    best = found[-1].best_epoch  # what is kept are the averaged weights
    assert torch.equal(found[-1].state["fc.weight"], found[best].parts["ema"][f"module.{name}"])
