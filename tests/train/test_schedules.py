"""The learning rate over a run, step by step, and when a run ends early."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pipeline.params.learning import Train
from pipeline.train.optimizers import Schedule
from tests.fixtures.small_set import small_params, write_build
from tests.fixtures.small_training import curve, trained

STEPS, LR = 4, 0.1


def rates(scores: list[float] | None = None, **settings: object) -> np.ndarray:
    """[epochs, 4]: the rate of every step; `scores`: what validation says after each epoch."""
    params = Train.model_validate({"epochs": 6, "lr": LR, "warmup_epochs": 0, **settings})
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    schedule, rows = Schedule(optimizer, params, STEPS), []
    for epoch in range(params.epochs):
        row = []
        for step in range(STEPS):
            schedule.before_step(epoch * STEPS + step)
            row.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
        schedule.after_epoch(scores[epoch] if scores else 0.0)
        rows.append(row)
    return np.array(rows)


def test_cosine_falls_from_the_rate_to_a_hundredth_of_it() -> None:
    done = np.arange(24) / 24
    expected = 0.001 + (LR - 0.001) * (1 + np.cos(math.pi * done)) / 2
    np.testing.assert_allclose(rates(schedule="cosine").ravel(), expected)


def test_step_drops_by_its_factor_every_so_many_epochs() -> None:
    found = rates(schedule="step", decay_epochs=2, decay_rate=0.3)
    np.testing.assert_allclose(
        found, np.repeat(LR * 0.3 ** np.array([0, 0, 1, 1, 2, 2]), STEPS).reshape(6, 4)
    )


def test_constant_stays() -> None:
    np.testing.assert_allclose(rates(schedule="constant"), LR)


def test_plateau_drops_after_epochs_without_improvement_and_only_then() -> None:
    scores = [0.1, 0.2, 0.2, 0.2, 0.3, 0.1]
    found = rates(scores, schedule="plateau", patience=1, decay_rate=0.5)
    np.testing.assert_allclose(found[:, 0], LR * np.array([1, 1, 1, 1, 0.5, 0.5]))
    assert (found == found[:, :1]).all()
    better = rates([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], schedule="plateau", patience=0)
    np.testing.assert_allclose(better, LR)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "plateau"])
def test_warm_up_rises_evenly_and_then_the_schedule_holds(schedule: str) -> None:
    settings: dict[str, object] = {"schedule": schedule, "decay_epochs": 4}
    found, plain = (rates(**settings, warmup_epochs=w).ravel() for w in (1.5, 0))  # 6 steps, or none
    rises = np.diff(found[:6])
    assert 0 < found[0] <= LR / 6
    np.testing.assert_allclose(rises, rises[0])
    assert rises[0] > LR / 7
    np.testing.assert_allclose(found[6:], plain[6:])


@pytest.mark.usefixtures("project")
def test_a_training_follows_its_schedule() -> None:
    write_build(12)
    settings: dict[str, object] = {"schedule": "step", "decay_epochs": 1, "decay_rate": 0.1, "lr": 0.01}
    trained(small_params(epochs=3, warmup_epochs=0, **settings))
    np.testing.assert_allclose(curve("train/lr"), [0.01, 0.001, 0.0001])


@pytest.mark.usefixtures("project")
def test_early_stopping_waits_for_so_many_epochs_after_the_best() -> None:
    write_build(12)
    trained(small_params(epochs=40, early_stopping=3, lr=0.02, warmup_epochs=0, schedule="constant"))
    scores, losses = curve("valid/macro_f1"), curve("valid/loss")
    best = max(range(len(scores)), key=lambda epoch: (scores[epoch], -losses[epoch]))
    assert len(scores) == best + 1 + 3 < 40
