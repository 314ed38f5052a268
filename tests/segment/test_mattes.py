"""What one can ask of a matte, and the frame that a network sees."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.segment.mattes import coverage, iou, resize_alpha
from pipeline.segment.unet.frame import MAX_SIDES, STRIDE, fit, frame_of, restore


def half(height: int, width: int) -> np.ndarray:
    alpha = np.zeros((height, width), np.uint8)
    alpha[:, : width // 2] = 255
    return alpha


def test_iou_counts_opaque_pixels() -> None:
    a, b = half(10, 20), half(10, 20)
    assert iou(a, b) == 1.0
    b[:, 5:10] = 127  # still background
    assert iou(a, b) == 0.5
    assert iou(a, 255 - a) == 0.0
    assert iou(np.zeros_like(a), np.zeros_like(a)) == 1.0
    with pytest.raises(ValueError, match="one size"):
        iou(a, a.T)


def test_coverage_is_the_mean_alpha() -> None:
    assert coverage(half(10, 20)) == 0.5
    assert coverage(np.full((4, 4), 51, np.uint8)) == pytest.approx(0.2)


@pytest.mark.parametrize("size", [(5, 7), (40, 80), (10, 20)])
def test_a_resized_alpha_covers_as_much(size: tuple[int, int]) -> None:
    resized = resize_alpha(half(10, 20), *size)
    assert resized.shape == size
    assert resized.dtype == np.uint8
    assert coverage(resized) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(("height", "width"), [(512, 384), (480, 640), (100, 100), (640, 90), (33, 700)])
@pytest.mark.parametrize("size", [128, 256, 300, 640])
def test_the_frame_keeps_the_aspect_and_comes_back(height: int, width: int, size: int) -> None:
    frame = frame_of(height, width, size)
    assert max(frame.inner) == size
    assert frame.inner[0] / frame.inner[1] == pytest.approx(height / width, rel=0.06)
    assert all(inner <= net and net % STRIDE == 0 for inner, net in zip(frame.inner, frame.net, strict=True))
    alpha = half(height, width)
    pixels = fit(np.dstack([alpha] * 3), frame)
    assert pixels.shape == (*frame.net, 3)
    assert not pixels[frame.inner[0] :].any()
    back = restore(pixels[..., 0], frame)
    assert back.shape == alpha.shape
    assert iou(back, alpha) > 0.93  # a narrow photo has few pixels across


@pytest.mark.parametrize("size", [64, 256, 512, 800])
def test_there_are_few_shapes(size: int) -> None:
    shapes = {frame_of(height, 1000, size).net for height in range(20, 1001)}
    assert len(shapes) <= MAX_SIDES


def test_a_photo_of_the_network_size_is_not_resampled() -> None:
    photo = np.arange(512 * 384 * 3, dtype=np.uint32).astype(np.uint8).reshape(512, 384, 3)
    frame = frame_of(512, 384, 512)
    assert frame.net == (512, 384)
    assert np.array_equal(fit(photo, frame), photo)
    assert np.array_equal(restore(photo[..., 0], frame), photo[..., 0])
