"""The pass over raw photos: brightness, sharpness, a hash, and what the background looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from pipeline.audit.descriptors import colours, difference_hash, gradients
from pipeline.explore.background import background_features
from pipeline.explore.quality import brightness, sharpness
from pipeline.mattes import coverage, resize_alpha
from pipeline.photo import read_matte, read_photo
from pipeline.progress import track
from pipeline.workers import run_parallel


@dataclass(frozen=True)
class Order:
    """A photo, and its matte if there is one."""

    photo: Path
    matte: Path | None


@dataclass(frozen=True)
class Looks:
    """A row per photo.

    Attributes:
        brightness: float64 [N] in [0, 1]. sharpness: float64 [N], see quality.py.
        person: float64 [N], share of the photo that the matte keeps; NaN without a matte.
        hashes: uint64 [N, 4]. features: float32 [N, D], of the whole photo.
        background: float32 [N, B]; zeros without a matte.
    """

    brightness: np.ndarray
    sharpness: np.ndarray
    person: np.ndarray
    hashes: np.ndarray
    features: np.ndarray
    background: np.ndarray


def look_at(orders: Sequence[Order], colour: tuple[int, int, int], workers: int | None) -> Looks:
    """Looks at every photo; `colour` is put behind transparent pixels."""
    found = run_parallel(partial(_looker, colour), orders, workers=workers, name=lambda o: str(o.photo))
    rows = list(track(found, len(orders), "explore"))
    columns = [np.stack([row[k] for row in rows]) for k in range(6)]
    return Looks(*columns)


def _looker(colour: tuple[int, int, int]) -> Callable[[Order], tuple[np.ndarray, ...]]:
    cv2.setNumThreads(1)
    return partial(_look, colour)


def _look(colour: tuple[int, int, int], order: Order) -> tuple[np.ndarray, ...]:
    photo = read_photo(order.photo, colour)
    if order.matte:
        alpha = resize_alpha(read_matte(order.matte), *photo.shape[:2])
        share = coverage(alpha)
    else:
        alpha, share = np.full(photo.shape[:2], 255, np.uint8), np.nan
    return (
        np.array(brightness(photo)),
        np.array(sharpness(photo)),
        np.array(share),
        difference_hash(photo),
        np.concatenate([gradients(photo), colours(photo)]),
        background_features(photo, alpha),
    )
