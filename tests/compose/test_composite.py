"""People on other backgrounds, and clean plates."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.compose.balance import copies_per_photo, water_filled
from pipeline.compose.composite import clamped, composite, shows_person
from pipeline.compose.inpaint import inpaint, inpaint_mask, normalized_convolution

SKIN, GREEN, RED = (205, 160, 140), (0, 255, 0), (255, 0, 0)
SIZE = 160
ALL = np.full((SIZE, SIZE), 255, np.uint8)


def scene(softness: float) -> tuple[np.ndarray, np.ndarray]:
    """A textured disc on saturated green: RGB and alpha with edges of `softness` pixels."""
    alpha = np.zeros((SIZE, SIZE), np.uint8)
    cv2.circle(alpha, (80, 80), 45, 255, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), softness)
    noise = np.random.default_rng(0).normal(0, 6, (SIZE, SIZE, 1))
    share = alpha[..., None] / 255.0
    picture = share * (np.array(SKIN) + noise) + (1 - share) * np.array(GREEN)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), alpha


@pytest.mark.parametrize("softness", [1.0, 2.0, 4.0])
def test_no_halo_of_the_old_background(softness: float) -> None:
    picture, alpha = scene(softness)
    red = np.full_like(picture, RED)
    share = alpha[..., None] / 255.0
    true = share * np.array(SKIN) + (1 - share) * np.array(RED)
    naive = share * picture + (1 - share) * red
    edge = (alpha > 12) & (alpha < 243)
    left = (composite(picture, alpha, red, ALL)[edge].astype(float) - true[edge])[:, 1].mean()
    halo = (naive[edge] - true[edge])[:, 1].mean()
    assert halo > 10  # what blending without an estimate leaves: far too green
    assert abs(left) < halo / 8


def test_inside_and_outside_are_exact() -> None:
    picture, alpha = scene(2.0)
    new = np.random.default_rng(1).integers(0, 256, picture.shape, dtype=np.uint8)
    out = composite(picture, alpha, new, ALL)
    assert (out[alpha > 251] == picture[alpha > 251]).all()
    assert (out[alpha < 4] == new[alpha < 4]).all()


def test_padding_is_no_background_to_learn_from() -> None:
    picture, alpha = scene(2.0)
    picture[:, :30], valid = 0, ALL.copy()
    valid[:, :30] = 0
    padded = composite(picture, alpha, np.full_like(picture, RED), valid)
    whole = composite(scene(2.0)[0], alpha, np.full_like(picture, RED), ALL)
    assert np.abs(padded[:, 30:].astype(int) - whole[:, 30:]).max() <= 12


@pytest.mark.parametrize("size", [1, 3, 300])
def test_any_matte_of_any_size(size: int) -> None:
    rng = np.random.default_rng(size)
    picture, new = rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    valid = np.full((size, size), 255, np.uint8)
    for alpha in (np.zeros_like(valid), valid, rng.integers(0, 256, (size, size), dtype=np.uint8)):
        assert composite(picture, alpha, new, valid).shape == (size, size, 3)


def test_clamped_moves_the_ends_only() -> None:
    out = clamped(np.arange(256, dtype=np.uint8)[None])[0]
    assert (out[:6] == 0).all()
    assert (out[250:] == 255).all()
    assert out[128] in (127, 128, 129)
    assert (np.diff(out.astype(int)) >= 0).all()


def test_shows_person() -> None:
    alpha = np.zeros((100, 100), np.uint8)
    assert not shows_person(alpha)
    alpha[:20, :20] = 255
    assert shows_person(alpha)


def test_spread_reaches_everywhere_and_takes_no_masked_colour() -> None:
    picture = np.full((120, 120, 3), 255, np.uint8)
    mask = np.zeros((120, 120), np.uint8)
    picture[:, :20], mask[:, :20] = (10, 200, 30), 255
    assert np.abs(normalized_convolution(picture, mask, (3, 15)).astype(int) - (10, 200, 30)).max() <= 2


def test_a_person_painted_out_leaves_the_wall() -> None:
    wall = np.empty((SIZE, SIZE, 3), np.float64)
    wall[:] = np.linspace(60, 200, SIZE)[:, None, None]
    alpha = scene(2.0)[1]
    share = alpha[..., None] / 255.0
    photo = np.rint(share * np.array(GREEN) + (1 - share) * wall).astype(np.uint8)
    mask = inpaint_mask(alpha)
    plate = inpaint(photo, mask, np.random.default_rng(0))
    assert (plate[mask == 0] == photo[mask == 0]).all()
    painted = np.abs(plate[mask == 255].astype(float) - wall[mask == 255])
    assert painted.max() < 40  # a steep gradient, across a hole of two thirds of the picture
    assert painted.mean() < 12
    assert not (alpha[mask == 0] > 12).any()


def test_painting_out_nothing_and_everything() -> None:
    photo, nothing = scene(1.0)[0], np.zeros((SIZE, SIZE), np.uint8)
    assert (inpaint(photo, nothing, np.random.default_rng(0)) == photo).all()
    assert len(np.unique(inpaint(photo, ALL, np.random.default_rng(0)))) == 1


def photos_of(counts: list[int]) -> pd.DataFrame:
    classes = [c for c, n in enumerate(counts) for _ in range(n)]
    return pd.DataFrame({"image": [f"{i:04d}.jpg" for i in range(len(classes))], "train_class": classes})


@pytest.mark.parametrize("copies", [0, 0.3, 1, 1.5, 4])
@pytest.mark.parametrize("balance", ["none", "class"])
def test_copies_add_up(copies: float, balance: str) -> None:
    table = photos_of([40, 7, 1, 0, 12])
    out = copies_per_photo(table, copies, balance, 0)
    assert out.sum() == round(copies * 60)
    assert (out >= 0).all()


def test_balance_none_spares_nobody() -> None:
    out = copies_per_photo(photos_of([30, 10]), 1.5, "none", 0)
    assert set(out) == {1, 2}
    assert (copies_per_photo(photos_of([30, 10]), 1.5, "none", 1) != out).any()


def test_balance_class_raises_the_rarest_first() -> None:
    table = photos_of([40, 20, 4])
    after = table.assign(n=1 + copies_per_photo(table, 0.25, "class", 0)).groupby("train_class")["n"].sum()
    assert after.tolist() == [40, 20, 20]
    after = table.assign(n=1 + copies_per_photo(table, 2, "class", 0)).groupby("train_class")["n"].sum()
    assert after.tolist() == [64, 64, 64]
    within = copies_per_photo(table, 2, "class", 0)[table["train_class"] == 1]
    assert within.max() - within.min() <= 1


def test_water_filling_is_the_best_possible() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        counts = rng.integers(0, 50, rng.integers(1, 8))
        total = int(rng.integers(0, 200))
        extra, slow = water_filled(counts, total), counts.copy()
        for _ in range(total):
            slow[np.argmin(slow)] += 1
        assert sorted(counts + extra) == sorted(slow)
    assert len(water_filled(np.array([], np.int64), 0)) == 0
