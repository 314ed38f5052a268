"""Squares around boxes, and cutting them out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.compose.crop import NEUTRAL, Square, cut, inside, placement, resized, square_around, whole_frame


def test_margin_is_a_share_of_the_longer_side_on_every_side() -> None:
    square = square_around((100, 100, 150, 200), 0.3)
    assert square == Square(44, 70, 204, 230)  # 100 + 2 x 30, around (125, 150), even


def test_whole_frame_is_padded_on_two_sides_only() -> None:
    assert whole_frame(384, 512) == Square(-64, 0, 448, 512)
    assert whole_frame(512, 384) == Square(0, -64, 512, 448)


@pytest.mark.parametrize(
    "square", [Square(20, 10, 180, 170), Square(-40, -30, 120, 130), Square(150, 150, 330, 330)]
)
def test_a_circle_stays_a_circle_where_it_was(square: Square) -> None:
    photo = np.zeros((300, 300, 3), np.uint8)
    centre = ((square.x1 + square.x2) // 2, (square.y1 + square.y2) // 2)
    cv2.circle(photo, centre, 30, (255, 255, 255), -1)
    out = cut(photo, placement(square, 300, 300, 80), 80, 0)
    x, y, w, h = cv2.boundingRect(cv2.inRange(out, (128,) * 3, (255,) * 3))
    assert abs(w - h) <= 1
    assert abs(w - 60 * 80 / square.side) <= 2
    assert abs(x + w / 2 - 40) <= 1.5
    assert abs(y + h / 2 - 40) <= 1.5


def test_padding_has_its_colour_and_nothing_of_the_photo() -> None:
    photo = np.full((512, 384, 3), 250, np.uint8)
    where = placement(whole_frame(384, 512), 384, 512, 224)
    out = cut(photo, where, 224, NEUTRAL)
    known = inside(where, 224)
    assert (out[known == 0] == NEUTRAL).all()
    assert (out[known == 255] == 250).all()
    assert (known == 255).mean() == pytest.approx(0.75, abs=0.01)


def test_a_square_beyond_the_photo_is_all_padding() -> None:
    where = placement(Square(500, 500, 600, 600), 100, 100, 32)
    assert (cut(np.zeros((100, 100, 3), np.uint8), where, 32, NEUTRAL) == NEUTRAL).all()
    assert not inside(where, 32).any()


def test_a_huge_margin_needs_no_huge_memory() -> None:
    square = square_around((0, 0, 4000, 4000), 10)
    photo = np.zeros((4000, 4000), np.uint8)
    assert cut(photo, placement(square, 4000, 4000, 224), 224, 7).shape == (224, 224)  # 84,000 pixels a side


@pytest.mark.parametrize("reduction", [1.1, 1.4, 1.9, 2.5, 3.6, 6.0])
def test_reducing_is_antialiased_like_pil(reduction: float) -> None:
    # a zone plate holds every frequency: what is not filtered shows as rings that are not there
    side = 400
    y, x = np.mgrid[:side, :side] - side / 2
    plate = np.rint(127.5 + 127.5 * np.cos(np.pi * (x**2 + y**2) / (2 * side))).astype(np.uint8)
    size = round(side / reduction)
    wanted = np.asarray(Image.fromarray(plate).resize((size, size), Image.Resampling.BILINEAR)).astype(float)
    got = np.abs(resized(plate, size, size) - wanted).mean()
    aliased = np.abs(cv2.resize(plate, (size, size), interpolation=cv2.INTER_NEAREST) - wanted).mean()
    assert got < 12
    assert got < aliased / 3


def test_enlarging_and_equal_size() -> None:
    photo = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert (resized(photo, 4, 4) == photo).all()
    assert resized(photo, 9, 9).shape == (9, 9, 3)


def test_a_photo_is_reduced_only_where_that_is_exact_and_enough() -> None:
    where = placement(Square(10, 20, 490, 500), 600, 800, 224)
    assert where.reduction == 2  # 480 px become 224
    assert placement(Square(10, 20, 490, 500), 601, 800, 224).reduction == 1  # an odd side has no half
    assert placement(Square(0, 0, 400, 400), 600, 800, 224).reduction == 1
    large = placement(Square(1003, 1005, 2903, 2905), 4000, 3000, 224)
    assert large.reduction == 8
    for part in large.photo:
        assert part.start % 8 == part.stop % 8 == 0
    halves = where.reduced().photo
    assert [(s.start, s.stop) for s in halves] == [(10, 250), (5, 245)]
