"""Cuts squares out of photos: aspect kept, padded, antialiased."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# ImageNet's mean colour. Input normalisation turns it into zeros, and being the same for every photo it leaks
# nothing, unlike the mean colour of a photo's own background.
NEUTRAL = (124, 116, 104)
REDUCTIONS = (8, 4, 2)  # of JPEG decoding, faster than decoding whole; for photos that they divide exactly
MIN_BLUR_REDUCTION = 1.2  # below it bilinear sampling alone reads every pixel: 48 dB and more
BINOMIAL_REDUCTION = 1.6  # from here up the fixed filter [1 2 1] / 4 is as good as the best Gaussian


@dataclass(frozen=True)
class Square:
    """A square in the pixels of an upright photo, `x1 <= x < x2`; it may extend beyond the photo."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def side(self) -> int:
        """Length of a side in photo pixels."""
        return self.x2 - self.x1

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2."""
        return self.x1, self.y1, self.x2, self.y2


@dataclass(frozen=True)
class Placement:
    """The visible part of a square, in the photo and in the output picture.

    `reduction`: 1, 2, 4 or 8; the photo reduced by it is still large enough, and its whole pixels hold the
    visible part's edges.
    """

    photo: tuple[slice, slice]  # rows, columns of the photo
    output: tuple[slice, slice]  # rows, columns of the output
    shape: tuple[int, int]  # height, width of the visible part in the output; 0 where nothing is visible
    reduction: int = 1

    def reduced(self) -> Placement:
        """The placement in the photo reduced by `reduction`."""
        rows, columns = (slice(s.start // self.reduction, s.stop // self.reduction) for s in self.photo)
        return Placement((rows, columns), self.output, self.shape)


def square_around(box: tuple[float, float, float, float], margin: float) -> Square:
    """The square around a box.

    Args:
        box: `xyxy` in photo pixels, with a positive area.
        margin: added on every side, as a share of the box's longer side, so the square's side is
            `longer * (1 + 2 * margin)`. Side and corners are rounded to even numbers, since halving an even
            number of pixels is exact and fast. The centre is the box's, within a pixel.
    """
    x1, y1, x2, y2 = box
    side = max(2, _even(max(x2 - x1, y2 - y1) * (1 + 2 * margin)))
    left, top = _even((x1 + x2 - side) / 2), _even((y1 + y2 - side) / 2)
    return Square(left, top, left + side, top + side)


def _even(value: float) -> int:
    return 2 * round(value / 2)


def whole_frame(width: int, height: int) -> Square:
    """The smallest centred square that holds the whole photo: no margin, padding on two sides only."""
    side = max(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return Square(left, top, left + side, top + side)


def placement(square: Square, width: int, height: int, size: int) -> Placement:
    """The placement of a square of a `width` x `height` photo in a `size` x `size` picture.

    Edges of the photo inside the square are rounded to whole output pixels, so that no padding is mixed into
    the photo and the work does not grow with the padding. Edges of the square are rounded to whole pixels of
    the reduced photo, at most half an output pixel off.
    """
    rows = _axis(square.y1, square.side, height, size)
    columns = _axis(square.x1, square.side, width, size)
    shape = (rows[1].stop - rows[1].start, columns[1].stop - columns[1].start)
    if min(shape) <= 0:
        return Placement((rows[0], columns[0]), (rows[1], columns[1]), (0, 0))
    visible = (rows[0], columns[0])
    max_reduction = min((s.stop - s.start) / length for s, length in zip(visible, shape, strict=True))
    step = next((k for k in REDUCTIONS if k <= max_reduction and width % k == 0 and height % k == 0), 1)
    top, left = (slice(step * round(s.start / step), step * round(s.stop / step)) for s in visible)
    return Placement((top, left), (rows[1], columns[1]), shape, step)


def _axis(start: int, side: int, length: int, size: int) -> tuple[slice, slice]:
    first, last = max(start, 0), min(start + side, length)
    if last <= first:
        return slice(0, 0), slice(0, 0)
    low = round((first - start) * size / side)
    high = round((last - start) * size / side)
    low = min(low, size - 1)
    return slice(first, last), slice(low, max(high, low + 1))


def cut(image: np.ndarray, where: Placement, size: int, padding: int | tuple[int, int, int]) -> np.ndarray:
    """Cuts a square out of a picture and resizes it.

    Args:
        image: uint8 [H, W, 3] or [H, W].
        where: from `placement`, for the same height and width.
        size: pixels per side of the output.
        padding: value of output pixels beyond the photo.

    Returns:
        uint8 [size, size, 3] or [size, size].
    """
    colour = padding if isinstance(padding, tuple) else (padding,) * 3
    if where.shape == (0, 0):
        nothing = np.zeros((1, 1, *image.shape[2:]), np.uint8)
        return cv2.copyMakeBorder(nothing, 0, size, 0, size, cv2.BORDER_CONSTANT, value=colour)[1:, 1:].copy()
    visible = resized(image[where.photo], *where.shape)
    if where.shape == (size, size):
        return visible
    rows, columns = where.output
    edges = (rows.start, size - rows.stop, columns.start, size - columns.stop)
    return cv2.copyMakeBorder(visible, *edges, cv2.BORDER_CONSTANT, value=colour)


def inside(where: Placement, size: int) -> np.ndarray:
    """uint8 [size, size]: 255 where an output pixel shows the photo, 0 where it is padding."""
    out = np.zeros((size, size), np.uint8)
    out[where.output] = 255
    return out


def resized(image: np.ndarray, height: int, width: int, *, smooth: bool = True) -> np.ndarray:
    """Antialiased resize of uint8 [H, W, 3] or [H, W].

    Reducing: halved by averaging while the reduction is 2 or more, then a small Gaussian and bilinear
    sampling. With `sigma = 0.4 r - 0.07` for a reduction by r this is at least as close to PIL's
    antialiased bilinear filter as cv2's INTER_AREA (41 to 53 dB on real photos), in a third of its time.
    Enlarging: bicubic.
    Without `smooth` no Gaussian: twice as fast, where the finest detail does not matter.
    """
    reduction = max(image.shape[0] / height, image.shape[1] / width)
    if reduction <= 1:
        if image.shape[:2] == (height, width):
            return image.copy()
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    while reduction >= 2:
        half = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
        image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        reduction /= 2
    if smooth and reduction > MIN_BLUR_REDUCTION:
        sigma = (
            0 if reduction >= BINOMIAL_REDUCTION else 0.4 * reduction - 0.07
        )  # 0: [1 2 1] / 4, three times as fast
        image = cv2.GaussianBlur(image, (3, 3), sigma)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def at_network_size(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [S, S] or [S, S, 3] from [H, W] or [H, W, 3], scaled as in `pipeline.train.decoded`."""
    if image.shape[:2] == (size, size):
        return image
    shrinks = size < max(image.shape[:2])
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
