"""The arithmetic of detectors in numpy gives the bits of the one compiled by numba."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.detect import nms, plain_nms
from pipeline.detect.mtcnn import boxes, plain, pyramid, refinement
from pipeline.detect.mtcnn.pyramid import Pyramid

RNG = np.random.default_rng(4)
PHOTO = RNG.integers(0, 256, (97, 131, 3), np.uint8)


def squares(count: int) -> np.ndarray:
    """float32 [N, 4]: boxes in and around the photo, many of which overlap; the last is empty."""
    corner = RNG.uniform(-20, 110, (count, 2)).astype(np.float32)
    out = np.concatenate([corner, corner + RNG.uniform(5, 60, (count, 2)).astype(np.float32)], axis=1)
    out[-1, 2:] = out[-1, :2]
    return out


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_suppression(count: int) -> None:
    found = squares(count) if count else np.zeros((0, 4), np.float32)
    groups = RNG.integers(0, 3, count)
    for threshold in (0.3, 0.5, 0.7):
        limit = np.float32(threshold)
        compiled = nms._kept(found, groups, limit)
        assert np.array_equal(plain_nms.kept(found, groups, limit), compiled)
        assert count < 100 or not compiled.all()
        assert np.array_equal(plain_nms.kept_contained(found, limit), nms._kept_contained(found, limit))


def test_boxes() -> None:
    found, offsets = squares(300), RNG.normal(0, 0.2, (300, 4)).astype(np.float32)
    output = RNG.normal(0, 1, (31, 23, 6)).astype(np.float32)
    margin = np.float32(0.4)
    assert np.array_equal(plain.cells_above(output, margin), boxes._cells_above(output, margin))
    for extra in (0, 1):
        assert np.array_equal(plain.shifted(found, offsets, extra), boxes.shifted(found, offsets, extra))
    assert np.array_equal(plain.squared(found), boxes.squared(found))
    assert np.array_equal(plain.crop_windows(found, 131, 97), boxes.crop_windows(found, 131, 97))
    for minimum in (100.0, 900.0):
        assert np.array_equal(
            plain.rivals_of(found, found[3], minimum), refinement._rivals_of(found, found[3], minimum)
        )


@pytest.mark.parametrize("exact", [False, True], ids=["int32", "float64"])
def test_resampled_photos(exact: bool) -> None:
    sums = Pyramid(PHOTO).sums
    sums = sums.astype(np.float64) if exact else sums
    for height, width in ((97, 131), (40, 30), (12, 17)):
        assert np.array_equal(
            plain.level_means(sums, height, width), pyramid.level_means(sums, height, width)
        )
    _, windows = boxes.inside(boxes.squared(squares(50)), 131, 97)
    assert len(windows) > 30
    for side in (24, 48):
        assert np.array_equal(plain.crop_means(sums, windows, side), pyramid.crop_means(sums, windows, side))


def test_boxes_that_overlap_by_just_the_threshold_both_stay() -> None:
    """As torchvision's; in numpy and compiled alike."""
    pair = np.array([[0, 0, 3, 1], [1, 0, 4, 1]], np.float32)  # IoU 2 / 4
    groups = np.zeros(2, np.int64)
    for threshold, expected in ((0.5, [True, True]), (0.49, [True, False])):
        limit = np.float32(threshold)
        assert plain_nms.kept(pair, groups, limit).tolist() == expected
        assert nms._kept(pair, groups, limit).tolist() == expected
    contained = np.array([[0, 0, 3, 0], [2, 0, 5, 0]], np.float32)  # 2 of 4 pixels of each
    for threshold, expected in ((0.5, [True, True]), (0.49, [True, False])):
        limit = np.float32(threshold)
        assert plain_nms.kept_contained(contained, limit).tolist() == expected
        assert nms._kept_contained(contained, limit).tolist() == expected
