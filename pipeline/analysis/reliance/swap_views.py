"""Every view of a photo that a model is asked about: as it is, and on other backgrounds."""

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
from pipeline.runtime.plugins import load_plugin
from pipeline.seeds import generator


@dataclass(frozen=True)
class Config:
    """What is the same for all photos.

    Args:
        sources: of backgrounds; also where raw photos and mattes are.
        images: composed pictures.
        backgrounds, fill: names of files of these kinds.
        size: of composed pictures; `seen`: of what the network is given; pixels a side.
        fill_seed: of `compose`; `seed`: of the backgrounds.
    """

    sources: Sources
    images: ImageStore
    backgrounds: str
    fill: str
    size: int
    seen: int
    fill_seed: int
    seed: int


class Task(NamedTuple):
    """One photo; `donors`: a background each, None = there are no mattes to swap with."""

    image: str
    square: tuple[int, int, int, int]
    donors: list[str] | None


class Views(NamedTuple):
    """A photo as the network is given it.

    `pictures`: uint8 [2 + K, S, S, 3] RGB: as composed, its own background put back, K others; [1, …] without
    a matte that shows a person, and `alpha` (uint8 [S, S]) is None then.
    """

    image: str
    pictures: np.ndarray
    alpha: np.ndarray | None


def viewer(setting: Config) -> Callable[[Task], Views]:
    """Makes the function that draws all views of one photo."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    backgrounds: Any = load_plugin("compose.backgrounds", setting.backgrounds)
    fill: Any = load_plugin("compose.fills", setting.fill)
    sources, size = setting.sources, setting.size
    cutter = Cutter(sources.photos, sources.mattes, size, sources.background_rgb)

    def views(job: Task) -> Views:
        whole = at_network_size(setting.images.photo(composed_name(job.image)), setting.seen)
        if job.donors is None:
            return Views(job.image, whole[None], None)
        person = cutter.cut_out(job.image, Square(*job.square))
        if not shows_person(person.matte):
            return Views(job.image, whole[None], None)
        plates = [own_plate(person, generator(setting.seed, "own plate", job.image))]
        for k, donor in enumerate(job.donors):
            rng = generator(setting.seed, "swapped background", job.image, k)
            plates.append(backgrounds.picture(sources, donor, size, rng))
        pictures = [whole]
        for plate in plates:
            rng = generator(
                setting.fill_seed, "compose", job.image
            )  # as compose drew it, e.g. the same noise
            pictures.append(at_network_size(swapped(person, plate, fill, rng), setting.seen))
        return Views(job.image, np.stack(pictures), at_network_size(clamped(person.matte), setting.seen))

    return views
