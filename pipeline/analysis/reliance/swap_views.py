"""Views of a photo for the model: as it is, and on other backgrounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline.analysis.reliance.background_swap import own_plate, swapped
from pipeline.compose.backgrounds import Sources
from pipeline.compose.composite import clamped, shows_person
from pipeline.compose.crop import Square, at_network_size
from pipeline.compose.cutout import Cutter
from pipeline.io.image_store import ImageStore, composed_name
from pipeline.io.parcel import Source
from pipeline.runtime.plugins import load_plugin
from pipeline.seeds import generator


@dataclass(frozen=True)
class Config:
    """Settings common to all photos.

    Args:
        sources: of backgrounds; also where raw photos and mattes are.
        images: composed pictures.
        backgrounds, fill: names of files of these kinds.
        size: of composed pictures; `network_size`: of the network's input; pixels a side.
        fill_seed: of `compose`; `seed`: of the backgrounds.
    """

    sources: Sources
    images: ImageStore
    backgrounds: str
    fill: str
    size: int
    network_size: int
    fill_seed: int
    seed: int


class Task(NamedTuple):
    """One photo; `donors`: one per other background, None = without mattes."""

    image: str
    square: tuple[int, int, int, int]
    donors: list[str] | None


class Result(NamedTuple):
    """The network's inputs for one photo.

    `pictures`: uint8 [2 + K, S, S, 3] RGB: as composed, its own background put back, K others; [1, …] without
    a matte that shows a person, and `alpha` (uint8 [S, S]) is None then.
    """

    image: str
    pictures: np.ndarray
    alpha: np.ndarray | None


def sources_of(config: Config, task: Task) -> list[Source]:
    """The files that the views of a photo are drawn from."""
    backgrounds: Any = load_plugin("compose.backgrounds", config.backgrounds)
    own = [config.images.source(composed_name(task.image))]
    if task.donors is None:
        return own
    cutter = Cutter(config.sources.photos, config.sources.mattes, config.size)
    others = [s for donor in task.donors for s in backgrounds.reads(config.sources, donor)]
    return own + cutter.sources(task.image) + others


def make_viewer(config: Config) -> Callable[[Task], Result]:
    """Makes the function that draws all views of one photo."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    backgrounds: Any = load_plugin("compose.backgrounds", config.backgrounds)
    fill: Any = load_plugin("compose.fills", config.fill)
    sources, size = config.sources, config.size
    cutter = Cutter(sources.photos, sources.mattes, size, sources.background_rgb)

    def draw_views(task: Task) -> Result:
        original = at_network_size(config.images.photo(composed_name(task.image)), config.network_size)
        if task.donors is None:
            return Result(task.image, original[None], None)
        person = cutter.cut_out(task.image, Square(*task.square))
        if not shows_person(person.matte):
            return Result(task.image, original[None], None)
        plates = [own_plate(person, generator(config.seed, "own plate", task.image))]
        for k, donor in enumerate(task.donors):
            rng = generator(config.seed, "swapped background", task.image, k)
            plates.append(backgrounds.picture(sources, donor, size, rng))
        pictures = [original]
        for plate in plates:
            # the seed of compose: e.g. the same noise
            rng = generator(config.fill_seed, "compose", task.image)
            pictures.append(at_network_size(swapped(person, plate, fill, rng), config.network_size))
        alpha = at_network_size(clamped(person.matte), config.network_size)
        return Result(task.image, np.stack(pictures), alpha)

    return draw_views
