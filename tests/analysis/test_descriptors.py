"""Descriptors of pictures: numbers for any picture, however flat."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.analysis.audit.descriptors import gradients


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_that_is_partly_flat_has_numbers(level: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    picture[20:] = level
    with np.errstate(all="raise"):
        assert np.isfinite(gradients(picture)).all()


def test_running_sums_below_zero_are_no_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """cv2.blur's running sums end slightly below 0 on some CPUs where a picture is flat, on others not."""
    blur = cv2.blur
    monkeypatch.setattr(cv2, "blur", lambda *args, **more: blur(*args, **more) - 1e-9)
    with np.errstate(all="raise"):
        assert np.isfinite(gradients(np.zeros((96, 96, 3), np.uint8))).all()
