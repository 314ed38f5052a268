"""The heads: a contract that all files in pipeline/objective/heads keep, and what each makes of outputs."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from pipeline import labels
from pipeline.objective.objective import Objective, target_of, years_to_learn
from pipeline.objective.target import Target
from pipeline.params.learning import Train
from pipeline.runtime.plugins import load_plugin, plugin_names

CPU = torch.device("cpu")
PARAMS = Train(heads="joint", loss="cross_entropy")
AGE_OF = np.array([20.0, 45.0, 65.0], np.float32)


def linear(outputs: int, pixels: int = 0) -> nn.Module:
    del pixels
    return nn.Linear(18, outputs)


def target(classes: np.ndarray) -> Target:
    return target_of(classes, AGE_OF[labels.age_group_of(classes)], CPU)


@pytest.mark.parametrize("name", plugin_names("objective.heads"))
def test_every_head_gives_probabilities_and_learns_all_18_classes(name: str) -> None:
    torch.manual_seed(0)
    heads, params = load_plugin("objective.heads", name), Train(heads=name)
    net = heads.build(linear, params)
    classes = np.arange(18)
    inputs = torch.eye(18)
    objective = Objective(params, np.ones(18, int), CPU)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        loss = objective.loss(net(inputs), target(classes))
        loss.backward()
        optimizer.step()
    p = heads.probabilities(net(inputs), params)
    assert p.shape == (18, 18)
    torch.testing.assert_close(p.sum(dim=1), torch.ones(18))
    assert (p >= 0).all()
    assert p.argmax(dim=1).tolist() == list(range(18))


def test_multitask_answer_is_the_product_of_the_three() -> None:
    outputs = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
    p = load_plugin("objective.heads", "multitask").probabilities(outputs, PARAMS).numpy()
    mask, gender, age = (part.softmax(dim=1).numpy() for part in outputs.split([3, 2, 3], dim=1))
    for c in range(18):
        by_hand = mask[:, c // 6] * gender[:, c // 3 % 2] * age[:, c % 3]
        np.testing.assert_allclose(p[:, c], by_hand, rtol=1e-5)


def test_separate_networks_share_nothing() -> None:
    net = load_plugin("objective.heads", "separate").build(linear, PARAMS)
    inputs = torch.rand(4, 18)
    outputs = net(inputs)
    assert outputs.shape == (4, 8)
    outputs[:, :3].sum().backward()  # what mask learns must not reach the others
    touched = {name for name, p in net.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert touched == {"networks.mask.weight", "networks.mask.bias"}


def test_each_separate_network_sees_its_own_crop_and_size() -> None:
    from torch.nn import functional

    shown: dict[int, torch.Tensor] = {}

    class Eye(nn.Module):
        def __init__(self, outputs: int, pixels: int) -> None:
            super().__init__()
            self.outputs, self.pixels = outputs, pixels

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            shown[self.pixels] = images
            return torch.zeros(len(images), self.outputs)

    params = Train(heads="separate", size=64, task_size={"mask": 24, "age": 48}, task_crop={"age": 0.5})
    net = load_plugin("objective.heads", "separate").build(Eye, params)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert net(images).shape == (2, 8)
    assert set(shown) == {24, 64, 48}
    assert shown[64] is images, "gender sees the picture itself"
    smaller = functional.interpolate(images, [24, 24], mode="bilinear", antialias=True)
    torch.testing.assert_close(shown[24], smaller, atol=1e-5, rtol=0)
    middle = functional.interpolate(images[:, :, 16:48, 16:48], [48, 48], mode="bilinear")
    torch.testing.assert_close(shown[48][:, :, 2:-2, 2:-2], middle[:, :, 2:-2, 2:-2], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": "joint", "task_size": {"age": 32}}, "for heads separate"),
        ({"heads": "multitask", "task_crop": {"age": 0.5}}, "for heads separate"),
        ({"heads": "separate", "size": 64, "task_size": {"age": 96}}, "may not exceed size, 64"),
        ({"heads": "separate", "task_crop": {"ages": 0.5}}, "'mask', 'gender' or 'age'"),
        ({"heads": "separate", "task_crop": {"age": 1.5}}, "less than or equal to 1"),
    ],
)
def test_views_that_no_network_could_have_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Train.model_validate(changes)


@pytest.mark.parametrize(("old_from", "group"), [(60.0, 1), (58.0, 2)])
def test_age_regression_cuts_at_the_bounds_that_params_name(old_from: float, group: int) -> None:
    heads = load_plugin("objective.heads", "age_regression")
    outputs = torch.zeros(1, 6)
    outputs[0, 5] = (59.0 - 40) / 20  # says 59 years
    assert heads.years(outputs).item() == pytest.approx(59)
    p = heads.probabilities(outputs, Train(age_bounds=(30.0, old_from)))
    assert labels.age_group_of(int(p.argmax())) == group


def test_years_follow_the_training_rule_not_the_birthday() -> None:
    # 59 counted as old is learnt as 60; 45 stays; 29 counted as middle is learnt as 30
    assert years_to_learn(np.array([59, 45, 29]), np.array([2, 1, 1])).tolist() == [60, 45, 30]


@pytest.mark.parametrize("name", ["multitask", "separate"])
def test_finer_ages_are_learnt_and_answered_in_three(name: str) -> None:
    """Years 15, 25, 45, 58, 70 are five classes by bounds 20, 29, 45, 57: young, young, middle, old, old."""
    params = Train(heads=name, age_classes=(20, 29, 45, 57), lr=0.05)
    years = np.array([15, 25, 45, 58, 70], np.float32)
    wanted = [0, 0, 1, 2, 2]
    classes = np.array(wanted)
    heads = load_plugin("objective.heads", name)
    torch.manual_seed(0)
    net, inputs = heads.build(lambda outputs, _=0: nn.Linear(5, outputs), params), torch.eye(5)
    own = target_of(classes, years, CPU, params.age_classes)
    assert own.of("age").argmax(dim=1).tolist() == [0, 1, 3, 4, 4]
    objective = Objective(params, np.bincount(classes, minlength=18), CPU, np.ones(5))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        objective.loss(net(inputs), own).backward()
        optimizer.step()
    outputs = net(inputs)
    assert outputs.shape == (5, 10)
    assert outputs[:, 5:].argmax(dim=1).tolist() == [0, 1, 3, 4, 4]
    p = heads.probabilities(outputs, params)
    assert p.shape == (5, 18)
    assert labels.age_group_of(p.argmax(dim=1).numpy()).tolist() == wanted
    by_class = outputs[:, 5:].softmax(dim=1)
    young = p.unflatten(1, (6, 3)).sum(dim=1)[:, 0]
    torch.testing.assert_close(young, by_class[:, 0] + by_class[:, 1])


def test_class_weights_of_finer_ages_follow_their_own_counts() -> None:
    params = Train(age_classes=(20, 30, 45, 60), class_weights="inverse")
    objective = Objective(params, np.ones(18, int), CPU, np.array([10, 40, 10, 20, 20]))
    np.testing.assert_allclose(objective.weights["age"], [2.0, 0.5, 2.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ((20, 45, 60), "at 30 or within 5 years"),  # 20 to 44 would be young and middle
        ((20, 30, 45, 66), "at 60 or within 5 years"),
        ((28, 32, 60), "nearer than the others"),
        ((30, 30, 60), "rising whole years"),
        ((60, 30), "rising whole years"),
        ((0, 30, 60), "rising whole years"),
    ],
)
def test_bounds_that_leave_a_class_in_two_groups_are_refused(bounds: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Train(age_classes=bounds)


def test_class_weights_reach_the_loss() -> None:
    counts = np.zeros(18, int)
    counts[[0, 1]] = 90, 10
    outputs = torch.zeros(1, 18)
    rare, common = target(np.array([1])), target(np.array([0]))
    objective = Objective(Train(heads="joint", class_weights="inverse"), counts, CPU)
    assert objective.loss(outputs, rare).item() == pytest.approx(9 * objective.loss(outputs, common).item())
