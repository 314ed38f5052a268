"""Composes photos in groups: cut, fill, encode. Pictures of the same bytes come from the cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.compose.composite import person_of, shows_person
from pipeline.compose.crop import Square
from pipeline.compose.cutout import CutPhoto, Cutter
from pipeline.io.image_store import ImageWriter, composed_name
from pipeline.io.photo import encode_jpeg
from pipeline.io.result_cache import ResultCache, key_of
from pipeline.runtime.plugins import load_plugin
from pipeline.seeds import generator


@dataclass(frozen=True)
class Config:
    """Settings for all photos; `keeps`: whether pictures are kept in the cache, a file each."""

    cutter: Cutter
    writer: ImageWriter
    cache: ResultCache
    fill: str
    seed: int
    keeps: bool = True


class Task(NamedTuple):
    """One photo to compose."""

    image: str
    sha256: str
    width: int
    height: int
    square: Square


class Result(NamedTuple):
    """A worker's report about a group of photos."""

    seconds: tuple[float, float, float]  # reading, computing, writing
    without_person: list[str]  # photos whose matte is empty
    hits: int  # photos whose picture was in the cache


def make_composer(config: Config) -> Callable[[list[Task]], Result]:
    """Makes a worker's function, which composes and writes a group of photos."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    fill, known = load_plugin("compose.fills", config.fill), config.cache.files() if config.keeps else {}

    def compose(tasks: list[Task]) -> Result:
        start = time.perf_counter()
        keys = [_key(config.cutter, task) for task in tasks]
        missing: list[tuple[Task, str]] = []
        for task, key in zip(tasks, keys, strict=True):
            content = config.cache.read(known[key]) if key in known else None
            if content is None:
                missing.append((task, key))
            else:
                config.writer.write(composed_name(task.image), content)
        if not missing:
            return Result((time.perf_counter() - start, 0.0, 0.0), [], len(tasks))
        cutouts = [config.cutter.photo(o.image, o.square, (o.width, o.height), o.sha256) for o, _ in missing]
        mattes = [config.cutter.matte(o.image, photo) for (o, _), photo in zip(missing, cutouts, strict=True)]
        read = time.perf_counter()
        generators = [generator(config.seed, "compose", o.image) for o, _ in missing]
        pictures = _fill(fill, cutouts, mattes, generators)
        computed = time.perf_counter()
        without_person: list[str] = []
        for (task, key), picture, matte in zip(missing, pictures, mattes, strict=True):
            content, person = encode_jpeg(picture), shows_person(matte)
            # a picture without a person is not kept: what is found in the cache needs no warning
            if person and config.keeps:
                config.cache.add_file(key, content, ".jpg")
            config.writer.write(composed_name(task.image), content)
            without_person += [] if person else [task.image]
        seconds = (read - start, computed - read, time.perf_counter() - computed)
        return Result(seconds, without_person, len(tasks) - len(missing))

    return compose


def _fill(
    fill: ModuleType, cutouts: list[CutPhoto], mattes: list[np.ndarray], generators: list[np.random.Generator]
) -> list[np.ndarray]:
    """The pictures, uint8 [S, S, 3] RGB each."""
    if not fill.NEEDS_MATTE:
        return [fill.background(p.crop, p.valid, rng) for p, rng in zip(cutouts, generators, strict=True)]
    people = [person_of(photo.crop, matte, photo.valid) for photo, matte in zip(cutouts, mattes, strict=True)]
    plates = [
        fill.background(p.picture, p.old_background, rng) for p, rng in zip(people, generators, strict=True)
    ]
    return [person.on(plate) for person, plate in zip(people, plates, strict=True)]


def _key(cutter: Cutter, task: Task) -> str:
    """What decides the picture of one photo, besides what decides all of them."""
    matte = cutter.mattes.digest(task.image) if cutter.mattes else None
    return key_of(task.image, task.sha256, task.width, task.height, task.square.corners, matte)
