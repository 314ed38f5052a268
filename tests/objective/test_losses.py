"""The losses: a contract that every file in pipeline/objective/losses keeps, and values computed by hand."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.labels import TASKS, Task
from pipeline.objective.objective import Objective, class_weights, target_of
from pipeline.objective.target import soften_age
from pipeline.params.learning import Train
from pipeline.runtime.plugins import load_plugin, plugin_names

GENDER, AGE, CLASS = TASKS["gender"], TASKS["age"], TASKS["class"]


def value(
    name: str,
    logits: list[list[float]],
    target: list[list[float]],
    weight: list[float] | None = None,
    task: Task = GENDER,
    **params: object,
) -> float:
    own = torch.tensor(weight) if weight else torch.ones(task.size)
    train = Train.model_validate(params)
    return (
        load_plugin("objective.losses", name)
        .loss(torch.tensor(logits), torch.tensor(target), own, task, train)
        .item()
    )


def logit(p: float) -> list[float]:
    """Logits of two classes whose softmax is (p, 1 − p)."""
    return [math.log(p), math.log(1 - p)]


@pytest.mark.parametrize("name", plugin_names("objective.losses"))
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_loss_is_a_finite_scalar_that_falls_towards_the_right_answer(name: str, task: Task) -> None:
    torch.manual_seed(0)
    target = torch.eye(task.size)[torch.randint(0, task.size, (32,))]
    loss = load_plugin("objective.losses", name).loss
    logits = torch.zeros(32, task.size, requires_grad=True)
    values = []
    for _ in range(30):
        found = loss(logits, target, torch.ones(task.size), task, Train())
        assert found.shape == ()
        assert torch.isfinite(found)
        (gradient,) = torch.autograd.grad(found, logits)
        logits = (logits - 20 * gradient).detach().requires_grad_()
        values.append(found.item())
    assert values[-1] < values[0]
    assert (logits.argmax(dim=1) == target.argmax(dim=1)).all()


@pytest.mark.parametrize("name", plugin_names("objective.losses"))
def test_every_loss_stays_finite_for_very_sure_wrong_answers_and_takes_mixtures(name: str) -> None:
    for gamma in (0.5, 2.0):
        logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
        target = torch.tensor([[0.0, 1.0], [0.3, 0.7]])
        found = load_plugin("objective.losses", name).loss(
            logits, target, torch.ones(2), GENDER, Train(focal_gamma=gamma)
        )
        found.backward()
        assert torch.isfinite(found)
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


def test_cross_entropy_by_hand() -> None:
    # −(ln 0.8 + ln 0.3) / 2, and with weights −(2 ln 0.8 + 1 ln 0.3) / 2
    logits = [logit(0.8), logit(0.7)]
    assert value("cross_entropy", logits, [[1.0, 0.0], [0.0, 1.0]]) == pytest.approx(0.7135582)
    weighted = value("cross_entropy", logits, [[1.0, 0.0], [0.0, 1.0]], [2.0, 1.0])
    assert weighted == pytest.approx(-(2 * math.log(0.8) + math.log(0.3)) / 2)


def test_focal_by_hand() -> None:
    # (1 − 0.9)² · −ln 0.9 = 0.01 · 0.1053605
    assert value("focal", [logit(0.9)], [[1.0, 0.0]], focal_gamma=2.0) == pytest.approx(0.001053605, rel=1e-4)
    assert value("focal", [logit(0.9)], [[1.0, 0.0]], focal_gamma=0.0) == pytest.approx(-math.log(0.9))


def test_label_smoothing_by_hand() -> None:
    # ε 0.2 over 2 classes: target (0.9, 0.1)
    found = value("label_smoothing", [logit(0.8)], [[1.0, 0.0]], label_smoothing=0.2)
    assert found == pytest.approx(-(0.9 * math.log(0.8) + 0.1 * math.log(0.2)))


def test_f1_by_hand() -> None:
    # two photos, one of each class: F_0 = 2·0.8 / (1 + 1.1), F_1 = 2·0.7 / (1 + 0.9)
    found = value("f1", [logit(0.8), logit(0.3)], [[1.0, 0.0], [0.0, 1.0]])
    assert found == pytest.approx(1 - (1.6 / 2.1 + 1.4 / 1.9) / 2)


def test_a_weighted_sum_of_losses() -> None:
    counts = np.full(18, 10)
    outputs, target = torch.randn(4, 18), target_of(np.arange(4), np.full(4, 30.0), torch.device("cpu"))

    def of(loss: object) -> float:
        params = Train.model_validate({"loss": loss, "heads": "joint"})
        return Objective(params, counts, torch.device("cpu")).loss(outputs, target).item()

    assert of([{"f1": 0.4}, {"focal": 0.6}]) == pytest.approx(0.4 * of("f1") + 0.6 * of("focal"))


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ([], "list of different losses"),
        ([{"f1": 0.4}, {"f1": 0.6}], "list of different losses"),
        ([{"f1": 0.4, "focal": 0.6}], "list of different losses"),
        ([{"f1": 0.0}], "above 0"),
        ([{"f1": True}], "true and false are not allowed"),
    ],
)
def test_a_sum_that_is_none_is_refused(loss: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Train.model_validate({"loss": loss})


def test_age_soft_by_hand() -> None:
    p = [0.5, 0.3, 0.2]
    logits = [[math.log(v) for v in p]]
    rows = [[0.8, 0.2, 0.0], [0.1, 0.8, 0.1], [0.0, 0.2, 0.8]]
    for age, row in enumerate(rows):
        target = [[float(k == age) for k in range(3)]]
        expected = -sum(r * math.log(v) for r, v in zip(row, p, strict=True))
        assert value("age_soft", logits, target, task=AGE) == pytest.approx(expected)
    other = [[1.0, 0.0, 0.0]] * 3
    assert value("age_soft", logits, [[0.0, 0.0, 1.0]], task=AGE, age_soft=other) == pytest.approx(
        -math.log(0.5)
    )


def test_soft_ordinal_by_hand() -> None:
    p = [0.4, 0.3, 0.2, 0.1]
    logits = [[math.log(v) for v in p]]
    far = [math.exp(-1), 1.0, math.exp(-1), math.exp(-2)]  # of the second of four ages
    expected = -sum(f / sum(far) * math.log(v) for f, v in zip(far, p, strict=True))
    target, weight = [[0.0, 1.0, 0.0, 0.0]], [1.0] * 4
    assert value("soft_ordinal", logits, target, weight, task=AGE) == pytest.approx(expected)
    sharp = value("soft_ordinal", logits, target, weight, task=AGE, soft_ordinal_scale=0.01)
    assert sharp == pytest.approx(-math.log(0.3))
    gender = value("soft_ordinal", [logit(0.8)], [[1.0, 0.0]])
    assert gender == pytest.approx(-math.log(0.8))


def test_soft_ordinal_over_the_classes_keeps_mask_and_gender() -> None:
    logits = [[0.0] * 18]
    logits[0][9:12] = [1.0, 2.0, 3.0]  # incorrect, female
    target = [[float(c == 9) for c in range(18)]]
    far = [1.0, math.exp(-1), math.exp(-2)]
    log_p = torch.log_softmax(torch.tensor(logits), dim=1)[0, 9:12].tolist()
    expected = -sum(f / sum(far) * v for f, v in zip(far, log_p, strict=True))
    assert value("soft_ordinal", logits, target, task=CLASS) == pytest.approx(expected)


def test_age_soft_over_the_classes_moves_age_and_nothing_else() -> None:
    softening = soften_age(CLASS, np.array(Train().age_soft, np.float32))
    # class 10 = incorrect, female, middle: its neighbours are 9 (young) and 11 (old)
    assert softening[10].nonzero()[0].tolist() == [9, 10, 11]
    np.testing.assert_allclose(softening[10][9:12], [0.1, 0.8, 0.1], atol=1e-7)
    np.testing.assert_allclose(softening.sum(axis=1), 1, atol=1e-6)


def test_class_weights_by_hand() -> None:
    counts = np.array([30, 10, 0])
    assert class_weights(counts, "none").tolist() == [1, 1, 1]
    # 1/30 and 1/10, scaled so that 30 w0 + 10 w1 = 40
    np.testing.assert_allclose(class_weights(counts, "inverse"), [2 / 3, 2, 0], rtol=1e-6)
    raw = np.array([(1 - 0.9) / (1 - 0.9**30), (1 - 0.9) / (1 - 0.9**10)])
    expected = raw * 40 / (30 * raw[0] + 10 * raw[1])
    np.testing.assert_allclose(class_weights(counts, "effective", 0.9)[:2], expected, rtol=1e-6)
    assert class_weights(counts, "effective", 0.9)[2] == 0
