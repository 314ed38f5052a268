"""Statistics of raw photos: brightness, sharpness, a hash, features of photo and background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from pipeline.analysis.audit.descriptors import colours, difference_hash, gradients
from pipeline.analysis.explore.background import background_features
from pipeline.analysis.explore.quality import brightness, sharpness
from pipeline.io.image_store import ImageStore, matte_name
from pipeline.io.parcel import Source
from pipeline.io.photo_store import PhotoStore
from pipeline.params.machine import Machine
from pipeline.runtime.progress import track
from pipeline.segment.mattes import coverage, resize_alpha
from pipeline.workers.run import run_parallel


@dataclass(frozen=True)
class Task:
    """A photo's key, and whether it has a matte."""

    image: str
    has_matte: bool


@dataclass(frozen=True)
class PhotoStats:
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


@dataclass(frozen=True)
class Config:
    """Where photos and mattes are; `background_rgb`: RGB behind transparent pixels."""

    photos: PhotoStore
    mattes: ImageStore
    background_rgb: tuple[int, int, int]


def compute_photo_stats(tasks: Sequence[Task], config: Config, machine: Machine) -> PhotoStats:
    """The statistics of every photo, in order."""
    results = run_parallel(
        partial(_make_worker, config),
        tasks,
        machine=machine,
        name=lambda o: o.image,
        reads=partial(_sources_of, config),
    )
    rows = list(track(results, len(tasks), "explore"))
    columns = [np.stack([row[k] for row in rows]) for k in range(6)]
    return PhotoStats(*columns)


def _make_worker(config: Config) -> Callable[[Task], tuple[np.ndarray, ...]]:
    cv2.setNumThreads(1)
    return partial(_stats_of, config)


def _sources_of(config: Config, task: Task) -> list[Source]:
    mattes = [config.mattes.source(matte_name(task.image))] if task.has_matte else []
    return [config.photos.source(task.image), *mattes]


def _stats_of(config: Config, task: Task) -> tuple[np.ndarray, ...]:
    photo = config.photos.photo(task.image, config.background_rgb)
    if task.has_matte:
        alpha = resize_alpha(config.mattes.matte(task.image), *photo.shape[:2])
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
