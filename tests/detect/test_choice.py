"""One rule of choice: large x sure x central."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.detect.choice import choose, worth

WIDTH, HEIGHT = 300, 400


def square(x: float, y: float, side: float) -> list[float]:
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


@pytest.mark.parametrize(
    ("first", "second", "scores"),
    [
        (square(150, 200, 120), square(150, 200, 60), (0.9, 0.9)),  # the larger
        (square(150, 200, 100), square(150, 200, 105), (0.9, 0.5)),  # the surer
        (square(150, 200, 100), square(60, 60, 105), (0.9, 0.9)),  # the more central
        (square(100, 150, 150), square(150, 200, 50), (0.6, 0.99)),  # not merely the surest
        (square(150, 150, 110), square(240, 330, 120), (0.8, 0.99)),  # not merely the largest
    ],
)
def test_large_and_sure_and_central(
    first: list[float], second: list[float], scores: tuple[float, float]
) -> None:
    boxes, said = np.array([first, second], np.float32), np.array(scores, np.float32)
    assert choose(boxes, said, WIDTH, HEIGHT) == 0
    assert choose(boxes[::-1], said[::-1], WIDTH, HEIGHT) == 1, "whatever the order"


def test_worth_is_what_its_formula_says() -> None:
    boxes = np.array([[0, 0, WIDTH, HEIGHT], [0, 0, 0, 0], square(150 + 0.35 * WIDTH, 200, 30)], np.float32)
    found = worth(boxes, np.array([1.0, 1.0, 0.5]), WIDTH, HEIGHT)
    np.testing.assert_allclose(found, [1, 0, 900 / (WIDTH * HEIGHT) * 0.5 * np.exp(-0.5)], rtol=1e-5)


def test_of_equal_ones_the_first() -> None:
    boxes = np.array([square(150, 200, 100)] * 3, np.float32)
    assert choose(boxes, np.full(3, 0.5), WIDTH, HEIGHT) == 0
