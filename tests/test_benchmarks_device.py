"""`python -m benchmarks.device`: a path that is wrong is not ok, on the CPU too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.device import training
from benchmarks.device.outcome import Material
from benchmarks.device.pictures import same_boxes
from pipeline.train.head_inputs import HeadInputs
from pipeline.train.network import Classifier


@pytest.fixture
def material(tmp_path: Path) -> Material:
    """Noise of 24 brightnesses, for the CPU."""
    rng, size = np.random.default_rng(0), training.SIZE
    photos = [rng.integers(0, 20 + 9 * n, (size, size, 3), np.uint8) for n in range(24)]
    return Material(tmp_path, photos, "cpu")


def test_linear_probing_agrees_with_a_network_that_looks_in_each_epoch(material: Material) -> None:
    found = training.probes(material)
    assert found.ok
    assert 0.999 < found.agreement <= 1


def test_linear_probing_from_the_features_of_other_photos_is_not_ok(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = HeadInputs.outputs

    def wrong(kept: HeadInputs, net: Classifier, where: np.ndarray) -> torch.Tensor:
        return right(kept, net, len(material.photos) - 1 - where)

    monkeypatch.setattr(HeadInputs, "outputs", wrong)
    assert not training.probes(material).ok


def test_nothing_found_shows_nothing() -> None:
    box = (0, 0, 10, 10)
    assert same_boxes([(box, box), (None, None)]) == 1
    assert same_boxes([(box, box), (None, box)]) == 0.5
    assert same_boxes([(None, None)]) == 0
