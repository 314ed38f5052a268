"""`segment.refine`: what happens to a segmenter's alphas before they become mattes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pipeline.segment.mattes import opaque, resize_alpha

if TYPE_CHECKING:
    from pipeline.segment.methods import SegmentFn

VERSION = "1"  # raise it with any change of a result
MAX_SIDE = 320  # pixels; GrabCut takes a few hundred ms at this size
SURE = (25, 230)  # alphas up to and from which a pixel stays what the network says: .1 and .9
ITERATIONS = 1  # three take twice as long and bring nothing
SIGMA = 1.0  # of the Gauss that makes GrabCut's yes or no an alpha again, pixels at its size


def identity(refine: str) -> dict[str, Any]:
    """What `refine` adds to the identity of a segmenter's results; nothing where nothing is refined."""
    return {} if refine == "none" else {"refine": refine, "refine_version": VERSION}


def refining(refine: str, create: Callable[[], SegmentFn]) -> Callable[[], SegmentFn]:
    """`create`, whose segment function also refines; picklable if `create` is.

    Args:
        refine: none | grabcut.
        create: makes the segment function.
    """
    return create if refine == "none" else partial(_create_refined, create)


def _create_refined(create: Callable[[], SegmentFn]) -> SegmentFn:
    return partial(_segment_and_refine, create())


def _segment_and_refine(segment: SegmentFn, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [grabcut(photo, alpha) for photo, alpha in zip(photos, segment(photos), strict=True)]


def grabcut(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """An alpha whose unsure pixels follow the photo's colours (GrabCut: Rother et al. 2004).

    Where the network is sure (alpha up to .1, from .9) it is believed; the rest goes to the side whose
    colours it has. The same photo and alpha always give the same result: OpenCV's random numbers, from which
    its colour models start, are seeded anew.

    Args:
        photo: uint8 [H, W, 3] RGB.
        alpha: uint8 [H, W].

    Returns:
        uint8 [H, W]; `alpha` itself where it has no person, no background, or nothing unsure.
    """
    height, width = alpha.shape
    scale = min(1.0, MAX_SIDE / max(height, width))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    small = cv2.resize(photo, (columns, rows), interpolation=cv2.INTER_AREA)
    known = resize_alpha(alpha, rows, columns)
    labels = np.where(opaque(known), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[known <= SURE[0]], labels[known >= SURE[1]] = cv2.GC_BGD, cv2.GC_FGD
    unsure = labels >= cv2.GC_PR_BGD
    person = opaque(known)
    if not unsure.any() or not person.any() or person.all():
        return alpha
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, (0, 0, columns, rows), *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    cut = np.where((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    return resize_alpha(cv2.GaussianBlur(cut, (0, 0), SIGMA), height, width)
