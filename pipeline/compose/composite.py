"""A person on another background, without a halo of the old one.

At the edge of a person a pixel's colour is `I = alpha F + (1 - alpha) B`: some of the person (F), some of the
old background (B). Blending I over a new background keeps `(1 - alpha) B`, which is the halo. So F is
estimated first, as in "Approximate Fast Foreground Colour Estimation" (Forte 2021, blur fusion): F' and B'
are means of the pixels around that are certain (`pipeline/compose/edge_colours.py`), then corrected by what
is left of the equation: `F = clip(F' + alpha (I - alpha F' - (1 - alpha) B'))`. All of it happens at edge
pixels only, some 3 % of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.compose.edge_colours import local_means

MARGIN = (
    5  # alpha up to this counts as 0, and 255 minus this as 255: a net's sigmoid hardly ever reaches the ends
)
MIN_PERSON = 0.01  # share of a picture below which a matte shows nobody


def clamped(alpha: np.ndarray) -> np.ndarray:
    """uint8 alpha, any shape, with values within 2 % of either end moved there, the rest stretched."""
    return cv2.LUT(np.ascontiguousarray(alpha), _CLAMPED)


_CLAMPED = np.clip(np.round((np.arange(256) - MARGIN) * 255 / (255 - 2 * MARGIN)), 0, 255).astype(np.uint8)


def shows_person(alpha: np.ndarray) -> bool:
    """Whether a matte, uint8 [H, W], covers at least 1 % of its picture."""
    return float(cv2.mean(alpha)[0]) >= MIN_PERSON * 255


@dataclass(frozen=True)
class Person:
    """A person taken out of a picture, to be put on backgrounds; by `person_of`.

    Attributes:
        picture: uint8 [H, W, 3] RGB.
        sure_foreground: uint8 [H, W], 255 where it certainly shows the person.
        old_background: uint8 [H, W], 255 where it certainly shows the old background.
        edge: int [N], flat numbers of the pixels in between.
        alpha_at_edge: float32 [N, 4] in [0, 1], alpha there, four times.
        colours: float32 [N, 4], the person's own RGB there, in [0, 255]; the fourth column means nothing.
    """

    picture: np.ndarray
    sure_foreground: np.ndarray
    old_background: np.ndarray
    edge: np.ndarray
    alpha_at_edge: np.ndarray
    colours: np.ndarray

    def on(self, background: np.ndarray) -> np.ndarray:
        """The person on `background`, uint8 [H, W, 3] RGB, which stays as it is: uint8 [H, W, 3] RGB."""
        out = cv2.copyTo(self.picture, self.sure_foreground, background.copy())
        if len(self.edge):
            under = _pixels(background, self.edge)
            mixed = self.colours - under
            mixed *= self.alpha_at_edge
            mixed += under
            out.reshape(-1, 3)[self.edge] = cv2.convertScaleAbs(mixed)[:, :3]
        return out


def person_of(picture: np.ndarray, alpha: np.ndarray, valid: np.ndarray) -> Person:
    """Takes the person out of a picture.

    Args:
        picture: uint8 [H, W, 3] RGB.
        alpha: uint8 [H, W], 0 = background, 255 = person.
        valid: uint8 [H, W], 255 where `picture` shows the photo, 0 where it is padding.
    """
    alpha = clamped(alpha)
    sure_foreground, sure_background = cv2.inRange(alpha, 255, 255), cv2.inRange(alpha, 0, 0)
    old_background = cv2.bitwise_and(sure_background, valid)
    edge = np.flatnonzero(cv2.bitwise_or(sure_foreground, sure_background).ravel() == 0)
    if not len(edge):
        nothing = np.zeros((0, 4), np.float32)
        return Person(picture, sure_foreground, old_background, edge, nothing, nothing)
    alpha_at_edge = _ALPHA.take(alpha.ravel().take(edge), 0)
    own, other = local_means(picture, (sure_foreground, old_background), edge)
    # own + alpha (I - alpha own - (1 - alpha) other) = own + alpha ((I - other) - alpha (own - other))
    colours = _pixels(picture, edge)
    colours -= other
    other -= own
    other *= alpha_at_edge
    colours += other
    colours *= alpha_at_edge
    colours += own
    return Person(
        picture, sure_foreground, old_background, edge, alpha_at_edge, np.clip(colours, 0, 255, out=colours)
    )


def composite(image: np.ndarray, alpha: np.ndarray, background: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The person of `image` on `background`, uint8 [H, W, 3] RGB each; the rest as for `person_of`."""
    return person_of(image, alpha, valid).on(background)


def _pixels(picture: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """float32 [N, 4]: RGB of the pixels with these flat numbers, and 255 to fill four lanes."""
    return cv2.cvtColor(picture.reshape(-1, 3).take(edge, 0)[None], cv2.COLOR_RGB2RGBA)[0].astype(np.float32)


_ALPHA = np.repeat(np.arange(256, dtype=np.float32)[:, None] / 255, 4, axis=1)
