"""A person on another background, without a halo of the old one.

At the edge of a person a pixel's colour is `I = alpha F + (1 - alpha) B`, a mix of the person (F) and the old
background (B). Blending I over a new background keeps `(1 - alpha) B`, the halo. So F is estimated first, as
in "Approximate Fast Foreground Colour Estimation" (Forte 2021, blur fusion): F' and B' are local means of the
sure foreground and background (`pipeline/compose/edge_colours.py`), then corrected by the residual:
`F = clip(F' + alpha (I - alpha F' - (1 - alpha) B'))`. Only edge pixels need it, some 3 % of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.compose.edge_colours import local_means

CLAMP_MARGIN = 5
"""Alpha up to this counts as 0, and from 255 minus this as 255: a sigmoid hardly ever reaches the ends."""
MIN_PERSON = 0.01  # of a picture: a matte below it shows no person


def clamped(alpha: np.ndarray) -> np.ndarray:
    """uint8 alpha, any shape, with values within 2 % of either end clamped, the rest stretched."""
    return cv2.LUT(np.ascontiguousarray(alpha), _CLAMPED)


_CLAMPED = np.clip(np.round((np.arange(256) - CLAMP_MARGIN) * 255 / (255 - 2 * CLAMP_MARGIN)), 0, 255).astype(
    np.uint8
)


def shows_person(alpha: np.ndarray) -> bool:
    """Whether a matte, uint8 [H, W], covers at least 1 % of its picture."""
    return float(cv2.mean(alpha)[0]) >= MIN_PERSON * 255


@dataclass(frozen=True)
class Person:
    """A person cut out of a picture, to be put on backgrounds; by `person_of`.

    Attributes:
        picture: uint8 [H, W, 3] RGB.
        sure_foreground: uint8 [H, W], 255 where alpha is 255.
        old_background: uint8 [H, W], 255 where alpha is 0, except in padding.
        edge: int [N], flat indices of the pixels in between.
        alpha_at_edge: float32 [N, 4] in [0, 1], alpha there, four times.
        colours: float32 [N, 4], the person's RGB there, in [0, 255]; the fourth column is unused.
    """

    picture: np.ndarray
    sure_foreground: np.ndarray
    old_background: np.ndarray
    edge: np.ndarray
    alpha_at_edge: np.ndarray
    colours: np.ndarray

    def on(self, background: np.ndarray) -> np.ndarray:
        """The person on `background` (unchanged), both uint8 [H, W, 3] RGB."""
        out = cv2.copyTo(self.picture, self.sure_foreground, background.copy())
        if len(self.edge):
            base = _pixels(background, self.edge)
            blended = self.colours - base
            blended *= self.alpha_at_edge
            blended += base
            out.reshape(-1, 3)[self.edge] = cv2.convertScaleAbs(blended)[:, :3]
        return out


def person_of(picture: np.ndarray, alpha: np.ndarray, valid: np.ndarray) -> Person:
    """Cuts the person out of a picture.

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
    """The person of `image` on `background`, uint8 [H, W, 3] RGB each; other args of `person_of`."""
    return person_of(image, alpha, valid).on(background)


def _pixels(picture: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """float32 [N, 4]: RGB of the pixels with these flat indices, and 255 to fill four lanes."""
    return cv2.cvtColor(picture.reshape(-1, 3).take(edge, 0)[None], cv2.COLOR_RGB2RGBA)[0].astype(np.float32)


_ALPHA = np.repeat(np.arange(256, dtype=np.float32)[:, None] / 255, 4, axis=1)
