"""`segment.refine: grabcut`: unsure pixels follow the photo's colours, the same way every time."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.io.photo import read_matte, read_photo
from pipeline.params.preparation import Segment
from pipeline.runtime.plugins import load_plugin
from pipeline.segment.mattes import iou
from pipeline.segment.refine import grabcut, identity, refining
from tests.fixtures.tiny_unet import drawn, write_tiny


def unsure(alpha: np.ndarray) -> np.ndarray:
    """An alpha that is blurred as a coarse network's, uint8 [H, W]."""
    return cv2.GaussianBlur(alpha, (0, 0), 6)


@pytest.mark.parametrize("size", [(96, 80), (500, 400)])
def test_the_edge_is_found_by_colour(size: tuple[int, int]) -> None:
    photo, alpha = drawn("person", *size)
    coarse = cv2.GaussianBlur(alpha, (0, 0), max(size) / 16)
    fine = grabcut(photo, coarse)
    assert fine.shape == alpha.shape
    assert fine.dtype == np.uint8
    assert iou(fine, alpha) > iou(coarse, alpha)
    assert iou(fine, alpha) > 0.97
    assert np.abs(fine.astype(float) - alpha).mean() < np.abs(coarse.astype(float) - alpha).mean() / 2
    assert len(np.unique(fine)) > 10, "an edge has more than two values"


def test_the_same_photo_gives_the_same_matte_whatever_came_before() -> None:
    clouds = cv2.GaussianBlur(np.random.default_rng(1).random((128, 96, 3)), (0, 0), 4)
    photo = (255 * (clouds - clouds.min()) / np.ptp(clouds)).astype(np.uint8)
    alpha = unsure(drawn("person", 128, 96)[1])
    first = grabcut(photo, alpha)  # of colours that fit no model, which the random numbers then decide
    for seed in range(8):
        cv2.setRNGSeed(seed + 5)
        cv2.randu(np.zeros(7), 0, 1)
        assert np.array_equal(grabcut(photo, alpha), first)


@pytest.mark.parametrize("value", [0, 100, 255])
def test_nothing_to_tell_apart_changes_nothing(value: int) -> None:
    photo = drawn("person")[0]
    alpha = np.full(photo.shape[:2], value, np.uint8)
    assert np.array_equal(grabcut(photo, alpha), alpha)


def test_a_sure_alpha_stays() -> None:
    photo = drawn("person")[0]
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[10:30, 10:30] = 255
    assert np.array_equal(grabcut(photo, alpha), alpha)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (1400, 2)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    random = np.random.default_rng(2)
    alpha = random.integers(0, 256, size, np.uint8)
    assert grabcut(random.integers(0, 256, (*size, 3), np.uint8), alpha).shape == size


@pytest.mark.parametrize("name", ["unet", "selfie"])
def test_every_segmenter_is_refined_in_workers(name: str, tmp_path: Path) -> None:
    fitted = write_tiny(tmp_path / "segmenter")
    create = partial(load_plugin("segment.methods", name).create, Segment(method=name), tmp_path, fitted)
    photos = [drawn("one")[0], drawn("two", 48, 90)[0]]
    plain = create()(photos)
    refined = pickle.loads(pickle.dumps(refining("grabcut", create)))()(photos)
    for photo, before, after in zip(photos, plain, refined, strict=True):
        assert np.array_equal(after, grabcut(photo, before))
    assert any(not np.array_equal(a, b) for a, b in zip(plain, refined, strict=True))
    assert refining("none", create) is create


def test_the_results_have_a_key_of_their_own() -> None:
    assert identity("none") == {}, "results from before there was a choice stay known"
    assert identity("grabcut")["refine"] == "grabcut"


def test_exact_mattes_get_better(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "realset"
    segment = load_plugin("segment.methods", "selfie").create(Segment(method="selfie"), tmp_path, tmp_path)
    gains, errors = [], []
    for place in sorted((folder / "truth/alpha").glob("*__*.png"))[::150]:
        photo = read_photo(folder / "train/images" / f"{place.stem.replace('__', '/')}.jpg")
        truth, before = read_matte(place), segment([photo])[0]
        after = grabcut(photo, before)
        gains.append(iou(after, truth) - iou(before, truth))
        errors.append([np.abs(a.astype(float) - truth).mean() for a in (before, after)])
    assert np.median(gains) > 0.002
    assert np.mean(errors, axis=0)[1] < 0.9 * np.mean(errors, axis=0)[0]
