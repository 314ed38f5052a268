"""`train.heads: coral`: ages as questions in order, whose answers never contradict each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.labels import age_group_of
from pipeline.objective.objective import Objective, target_of
from pipeline.objective.target import Target
from pipeline.params.learning import Train
from pipeline.runtime.plugins import load_plugin

CPU = torch.device("cpu")
BOUNDS = (20, 30, 45, 60)
CORAL = load_plugin("objective.heads", "coral")


def fitted(params: Train, inputs: torch.Tensor, years: np.ndarray, steps: int) -> nn.Module:
    """A linear network under the head after so many steps towards these ages."""
    torch.manual_seed(0)
    net = CORAL.build(lambda outputs, _=0: nn.Linear(inputs.shape[1], outputs), params)
    target = target_of(np.searchsorted([30, 60], years, side="right"), years, CPU, params.age_classes)
    objective = Objective(params, np.ones(18, int), CPU)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        objective.loss(net(inputs), target).backward()
        optimizer.step()
    return net


def test_a_line_of_ages_is_learnt_and_answered_in_three_groups() -> None:
    """One number of a picture says the age: one output and four thresholds are enough for it."""
    params, years = Train(heads="coral", age_classes=BOUNDS), np.arange(5, 80, dtype=np.float32)
    inputs = torch.from_numpy(years / 40 - 1)[:, None]
    p = CORAL.probabilities(fitted(params, inputs, years, 1500)(inputs), params)
    torch.testing.assert_close(p.sum(dim=1), torch.ones(len(p)))
    answers = age_group_of(p.argmax(dim=1).numpy())
    right = answers == np.searchsorted([30, 60], years, side="right")
    assert right.mean() > 0.95
    assert (np.diff(answers) >= 0).all()


@pytest.mark.parametrize("steps", [0, 3, 300])
def test_no_answer_contradicts_another_whatever_was_learnt(steps: int) -> None:
    """Ages are shuffled, so that there is nothing to find; older than 45 and not than 30 is never said."""
    params, random = Train(heads="coral", age_classes=BOUNDS), np.random.default_rng(0)
    inputs = torch.from_numpy(random.standard_normal((60, 8)).astype(np.float32))
    years = random.choice([10, 25, 70], 60).astype(np.float32)  # nobody from 30 to 59: two equal thresholds
    net = fitted(params, inputs, years, steps)
    outputs = net(torch.from_numpy(random.standard_normal((500, 8)).astype(np.float32) * 50))
    assert outputs.shape == (500, 5 + len(BOUNDS))
    assert (outputs[:, 5:].diff(dim=1) <= 0).all()
    assert (CORAL.probabilities(outputs, params) >= 0).all()


def test_the_loss_of_age_by_hand_and_of_a_mixed_picture() -> None:
    """As the paper's equation 5 with weights of 1: ages 25 and 70 of bounds 30 and 60, and a half of each."""
    params = Train(heads="coral")
    outputs = torch.zeros(3, 7)
    outputs[:, 5:] = torch.tensor([[0.4, -1.0], [2.0, 0.5], [0.3, -0.2]])
    target = target_of(np.array([0, 2, 0]), np.array([25, 70, 25], np.float32), CPU)
    mixed = target.classes.clone()
    mixed[2, [0, 2]] = 0.5
    target = Target(mixed, target.years)
    log = functional.logsigmoid
    z = outputs[:, 5:]
    young, old, both = -log(-z[0]).sum(), -log(z[1]).sum(), -(log(z[2]) + log(-z[2])).sum() / 2
    found = CORAL.loss(outputs, target, params, lambda *_: torch.zeros(()))
    torch.testing.assert_close(found, (young + old + both) / 9)


def test_one_output_of_a_timm_network_says_the_age_and_its_copy_has_thresholds_of_its_own() -> None:
    from copy import deepcopy

    from pipeline.train.config import resolve_config
    from pipeline.train.network import make_classifier

    config = resolve_config(Train(model="test_resnet", size=32, heads="coral", device="cpu", precision="f32"))
    net = make_classifier(config).eval()
    assert net.net.state_dict()["fc.weight"].shape[0] == 6
    assert net.net.state_dict()["fc.age_steps"].shape == (1,)
    copy, images = deepcopy(net), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        before = net(images)
        copy.net.get_parameter("fc.age_steps").fill_(5.0)
        torch.testing.assert_close(net(images), before)
        moved = copy(images)
    torch.testing.assert_close(before[:, 5] - before[:, 6], torch.ones(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(moved[:, 5] - moved[:, 6], torch.full((2,), 5.0067), atol=1e-3, rtol=0)
