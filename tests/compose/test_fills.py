"""The contract of pipeline/compose/fills/, over every file in it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.compose.crop import NEUTRAL
from pipeline.runtime.plugins import load_plugin, plugin_names
from pipeline.seeds import generator

SIZE = 64


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A green person on a red wall: crop, and where the wall is seen."""
    crop = np.full((SIZE, SIZE, 3), (220, 30, 30), np.uint8)
    old_background = np.full((SIZE, SIZE), 255, np.uint8)
    crop[20:, 20:44], old_background[16:, 16:48] = (0, 255, 0), 0
    return crop, old_background


@pytest.mark.parametrize("name", plugin_names("compose.fills"))
def test_contract(name: str) -> None:
    fill = load_plugin("compose.fills", name)
    assert isinstance(fill.NEEDS_MATTE, bool)
    crop, old_background = scene()
    before = crop.copy()
    out = fill.background(crop, old_background, generator(0, "a"))
    assert out.shape == crop.shape
    assert out.dtype == np.uint8
    assert (crop == before).all()
    assert (out == fill.background(crop, old_background, generator(0, "a"))).all()
    if fill.NEEDS_MATTE:  # nothing of the person is left in the background
        assert not ((out[..., 1] > 200) & (out[..., 0] < 60) & (out[..., 2] < 60)).any() or name == "noise"


@pytest.mark.parametrize("name", plugin_names("compose.fills"))
def test_nothing_to_be_seen_of_the_background(name: str) -> None:
    crop, old_background = scene()
    out = load_plugin("compose.fills", name).background(
        crop, np.zeros_like(old_background), generator(0, "a")
    )
    assert out.shape == crop.shape


def test_mean_says_nothing_about_the_photo() -> None:
    crop, old_background = scene()
    mean = load_plugin("compose.fills", "mean")
    assert (mean.background(crop, old_background, generator(0)) == NEUTRAL).all()


def test_blur_keeps_the_wall_and_loses_the_person() -> None:
    crop, old_background = scene()
    out = load_plugin("compose.fills", "blur").background(crop, old_background, generator(0)).astype(int)
    assert np.abs(out - (220, 30, 30)).max() <= 2


def test_noise_has_imagenets_mean_and_deviation_and_differs_by_photo() -> None:
    noise = load_plugin("compose.fills", "noise")
    crop = np.zeros((256, 256, 3), np.uint8)
    out = noise.background(crop, crop[..., 0], generator(0, "a"))
    assert out.mean(axis=(0, 1)) == pytest.approx(noise.MEAN, abs=1)
    assert out.std(axis=(0, 1)) == pytest.approx(noise.DEVIATION, abs=1)
    assert (out != noise.background(crop, crop[..., 0], generator(0, "b"))).mean() > 0.9
