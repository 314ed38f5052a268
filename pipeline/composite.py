"""A person on another background, without a halo of the old one.

At the edge of a person a pixel's colour is `I = alpha F + (1 - alpha) B`: some of the person (F), some of the
old background (B). Blending I over a new background keeps `(1 - alpha) B`, which is the halo. So F is
estimated first, as in "Approximate Fast Foreground Colour Estimation" (Forte 2021, blur fusion): F and B are
first smoothed from pixels that are certain, then corrected by what is left of the equation:
`F = clip(F' + alpha (I - alpha F' - (1 - alpha) B'))`.
"""

from __future__ import annotations

import cv2
import numpy as np

CLEAR = (
    5  # alpha up to this counts as 0, and 255 minus this as 255: a net's sigmoid hardly ever reaches the ends
)
REDUCE = 4  # certain colours are smoothed on a grid this much coarser
LEAST_PERSON = 0.01  # share of a picture below which a matte shows nobody
NEAR, FAR = 3, 15  # sizes of the smoothing boxes on that grid, fine then coarse
MANY = 8192  # more edge pixels than this are not looked up one by one (and cv2.remap takes 32,766 at most)
PRIOR = 0.5  # weight of the coarser answer, where full coverage by the finer box weighs 255


def snapped(alpha: np.ndarray) -> np.ndarray:
    """uint8 alpha, any shape, with values within 2 % of either end moved there, the rest stretched."""
    return cv2.LUT(np.ascontiguousarray(alpha), _SNAP)


_SNAP = np.clip(np.round((np.arange(256) - CLEAR) * 255 / (255 - 2 * CLEAR)), 0, 255).astype(np.uint8)


def shows_person(alpha: np.ndarray) -> bool:
    """Whether a matte, uint8 [H, W], covers at least 1 % of its picture."""
    return float(cv2.mean(alpha)[0]) >= LEAST_PERSON * 255


def composite(image: np.ndarray, alpha: np.ndarray, background: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Puts the person of `image` on `background`.

    Args:
        image: uint8 [H, W, 3] RGB.
        alpha: uint8 [H, W], 0 = background, 255 = person.
        background: uint8 [H, W, 3] RGB, the new background; not changed.
        known: uint8 [H, W], 255 where `image` shows the photo, 0 where it is padding.

    Returns:
        uint8 [H, W, 3] RGB.
    """
    alpha = snapped(alpha)
    certain = cv2.inRange(alpha, 255, 255)
    out = cv2.copyTo(image, certain, background.copy())
    edge = np.flatnonzero(cv2.inRange(alpha, 1, 254).ravel() > 0)
    if len(edge):
        behind = cv2.bitwise_and(cv2.inRange(alpha, 0, 0), known)
        share = cv2.merge([alpha.ravel()[edge].astype(np.float32) / 255] * 3).reshape(-1, 3)
        person = _edge_colours(image, share, (certain, behind), edge)
        under = background.reshape(-1, 3)[edge].astype(np.float32)
        out.reshape(-1, 3)[edge] = np.rint(under + share * (person - under)).astype(np.uint8)
    return out


def _edge_colours(
    image: np.ndarray, share: np.ndarray, masks: tuple[np.ndarray, np.ndarray], edge: np.ndarray
) -> np.ndarray:
    """The person's own colour at some pixels.

    Args:
        image: uint8 [H, W, 3].
        share: float32 [N, 3] in [0, 1], alpha at these pixels, three times.
        masks: uint8 [H, W], what is certainly person, and certainly the old background.
        edge: int [N], flat numbers of the pixels.

    Returns:
        float32 [N, 3] in [0, 255].
    """
    own, other = (_sampled(coarse_colours(image, mask), edge, image) for mask in masks)
    seen = image.reshape(-1, 3)[edge].astype(np.float32)
    return np.clip(own + share * (seen - share * own - (1 - share) * other), 0, 255)


def _sampled(grid: np.ndarray, edge: np.ndarray, image: np.ndarray) -> np.ndarray:
    """float32 [N, 3]: a coarse grid's colours at the flat pixel numbers `edge` of `image`, bilinear."""
    if len(edge) > MANY:
        whole = cv2.resize(grid, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
        return whole.reshape(-1, 3)[edge]
    rows, columns = np.divmod(edge, image.shape[1])
    x = (columns + 0.5) * (grid.shape[1] / image.shape[1]) - 0.5
    y = (rows + 0.5) * (grid.shape[0] / image.shape[0]) - 0.5
    x, y = x.astype(np.float32)[None], y.astype(np.float32)[None]
    return cv2.remap(grid, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]


def spread(image: np.ndarray, mask: np.ndarray, sizes: tuple[int, ...] = (NEAR, FAR)) -> np.ndarray:
    """As `coarse_colours`, at the picture's own size: uint8 [H, W, 3]."""
    grown = cv2.convertScaleAbs(coarse_colours(image, mask, sizes))
    return cv2.resize(grown, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_LINEAR)


def coarse_colours(image: np.ndarray, mask: np.ndarray, sizes: tuple[int, ...] = (NEAR, FAR)) -> np.ndarray:
    """Smooth colours of the masked pixels, spread over the whole picture (normalised convolution).

    Args:
        image: uint8 [H, W, 3].
        mask: uint8 [H, W], 255 = this pixel's colour counts, 0 = it does not.
        sizes: odd box sizes on the reduced grid, fine first; a coarser box speaks where finer ones see
            nothing.

    Returns:
        float32 [H / REDUCE, W / REDUCE, 3] (rounded up) in [0, 255]; the mean of all masked pixels where no
        box reaches any, black if the mask is empty.
    """
    height, width = mask.shape
    half = (
        -(-width // 2),
        -(-height // 2),
    )  # every second pixel is enough for an average, at a third of the time
    small = (-(-width // REDUCE), -(-height // REDUCE))
    weights = cv2.resize(mask, half, interpolation=cv2.INTER_NEAREST)
    seen = cv2.resize(image, half, interpolation=cv2.INTER_NEAREST)
    colours = cv2.resize(cv2.bitwise_and(seen, seen, mask=weights), small, interpolation=cv2.INTER_AREA)
    weights = cv2.resize(weights, small, interpolation=cv2.INTER_AREA)
    sums = cv2.merge([colours, weights]).astype(np.float32)
    total = np.array(cv2.sumElems(sums))
    out = np.tile((total * 255 / max(float(total[3]), 1e-6)).astype(np.float32), (small[1], small[0], 1))
    for size in reversed(sizes):
        near = cv2.blur(sums, (size, size), borderType=cv2.BORDER_CONSTANT)
        near = cv2.blur(near, (size, size), borderType=cv2.BORDER_CONSTANT)  # twice: no box shows
        weight = cv2.extractChannel(near, 3) + np.float32(PRIOR)
        # all four channels, for speed; the fourth means nothing from here on
        out = cv2.divide(cv2.addWeighted(near, 255, out, PRIOR, 0), cv2.merge([weight] * 4))
    return cv2.merge(cv2.split(out)[:3])
