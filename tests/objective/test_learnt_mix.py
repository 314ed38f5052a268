"""The mix of classes that a network believes in: by hand, and by a network that sees nothing but the mix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline import labels
from pipeline.objective.objective import Objective, target_of, training_prior
from pipeline.params.learning import Train
from pipeline.runtime.plugins import load_plugin
from pipeline.train.sampling import epoch_order, shown_per_epoch


def uneven() -> np.ndarray:
    """Classes whose tasks are independent, as heads for each task take them to be."""
    mask, gender, age = np.array([6, 2, 1]), np.array([3, 1]), np.array([1, 4, 2])
    counts = np.einsum("m,g,a->mga", mask, gender, age).ravel()
    return np.repeat(np.arange(labels.CLASSES), counts)


def test_by_hand() -> None:
    classes = np.array([0, 0, 0, 1, 2, 2])  # young, middle, old men with a mask
    counts = np.bincount(classes, minlength=labels.CLASSES)
    assert training_prior(counts, Train())[:3].tolist() == pytest.approx([3 / 6, 1 / 6, 2 / 6])
    assert training_prior(counts, Train(sampler="class"))[:3].tolist() == pytest.approx([1 / 3] * 3)
    inverse = Train(heads="joint", class_weights="inverse")
    assert training_prior(counts, inverse)[:3].tolist() == pytest.approx([1 / 3] * 3)
    women = np.array([0, 0, 0, 3, 4, 4])  # young men 3, young women 1, middle women 2: ages 4 and 2
    mix = training_prior(np.bincount(women, minlength=labels.CLASSES), Train(sampler="age"))
    assert mix[[0, 3, 4]].tolist() == pytest.approx([3 / 8, 1 / 8, 1 / 2])
    assert mix[5] == 0  # nobody of that class was learnt


@pytest.mark.parametrize("heads", ["joint", "multitask"])
@pytest.mark.parametrize("weights", ["none", "inverse", "effective"])
@pytest.mark.parametrize("sampler", ["none", "class", "age", "one_mask", "one_mask_class"])
def test_a_network_that_sees_nothing_answers_with_it(heads: str, weights: str, sampler: str) -> None:
    classes = uneven()
    train = Train.model_validate(
        {"heads": heads, "class_weights": weights, "effective_beta": 0.9, "sampler": sampler}
    )
    alike = np.arange(len(classes)) // 3
    orders = [epoch_order(classes, alike, np.ones(len(alike)), sampler, 0, e) for e in range(1000)]
    drawn = classes[np.concatenate(orders)]
    share = np.bincount(drawn, minlength=labels.CLASSES) / len(drawn)
    counts = np.bincount(classes, shown_per_epoch(alike, sampler), labels.CLASSES)
    objective = Objective(train, counts, torch.device("cpu"))
    years, cpu = np.zeros(1, np.float32), torch.device("cpu")
    sure = [target_of(np.array([c]), years, cpu) for c in range(labels.CLASSES)]
    outputs = torch.zeros(1, 18 if heads == "joint" else 8, requires_grad=True)
    optimizer = torch.optim.LBFGS([outputs], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:  # each class in turn, as often as the sampler drew it
        optimizer.zero_grad()
        parts = [objective.loss(outputs, target) * float(p) for target, p in zip(sure, share, strict=True)]
        total = torch.stack(parts).sum()
        total.backward()
        return total

    optimizer.step(loss)
    found = load_plugin("objective.heads", heads).probabilities(outputs.detach(), train)[0].numpy()
    np.testing.assert_allclose(found, training_prior(counts, train), atol=0.004)
