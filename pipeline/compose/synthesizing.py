"""Draws photos' copies on other backgrounds, in groups. Copies of the same bytes come from the cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2

from pipeline.compose.backgrounds import Sources
from pipeline.compose.composite import Person, person_of, shows_person
from pipeline.compose.crop import Square
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.io.image_store import ImageWriter
from pipeline.io.photo import encode_jpeg
from pipeline.io.result_cache import ResultCache, key_of
from pipeline.runtime.plugins import load_plugin
from pipeline.seeds import generator


@dataclass(frozen=True)
class Config:
    """Settings for all pictures."""

    sources: Sources
    backgrounds: str
    writer: ImageWriter
    cache: ResultCache
    size: int
    seed: int


class Task(NamedTuple):
    """One photo, with all its copies."""

    image: str
    sha256: str
    square: Square
    files: list[str]
    donors: list[str]

    def copies(self) -> Iterator[tuple[str, str]]:
        """File and donor of each copy."""
        return zip(self.files, self.donors, strict=True)


class Copy(NamedTuple):
    """One copy, and its key in the result cache."""

    task: Task
    file: str
    donor: str
    key: str


class Result(NamedTuple):
    """A worker's report about a group of photos."""

    seconds: tuple[float, float, float]  # reading, computing, writing
    without_person: list[str]  # photos whose matte is empty: nothing was written
    hits: int  # copies that were in the cache


def make_synthesizer(config: Config) -> Callable[[list[Task]], Result]:
    """Makes a worker's function, which draws and writes all copies of a group of photos."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    backgrounds = load_plugin("compose.backgrounds", config.backgrounds)
    sources, size = config.sources, config.size
    cutter = Cutter(sources.photos, sources.mattes, size, sources.background_rgb)
    known, seed = config.cache.files(), (config.seed, "background")

    def copies_of(task: Task) -> list[Copy]:
        own = (task.sha256, task.square.corners, sources.mattes.digest(task.image))
        return [
            Copy(task, file, donor, key_of(*own, file, donor, backgrounds.facts(sources, donor)))
            for file, donor in task.copies()
        ]

    def is_written(copy: Copy) -> bool:
        """Writes a copy from the cache, or says that it is not there."""
        content = config.cache.read(known[copy.key]) if copy.key in known else None
        if content is not None:
            config.writer.write(copy.file, content)
        return content is not None

    def synthesize(tasks: list[Task]) -> Result:
        start = time.perf_counter()
        copies = [copy for task in tasks for copy in copies_of(task)]
        missing = [copy for copy in copies if not is_written(copy)]
        lacking = {copy.task.image: copy.task for copy in missing}
        people, without_person = _people(cutter, list(lacking.values()))
        read = time.perf_counter()
        pairs = [(copy, people[copy.task.image]) for copy in missing if copy.task.image in people]
        writing = 0.0
        for batch in groups_of(pairs, size):
            plates = [
                backgrounds.picture(sources, copy.donor, size, generator(*seed, copy.file))
                for copy, _ in batch
            ]
            pictures = [person.on(plate) for (_, person), plate in zip(batch, plates, strict=True)]
            drawn = time.perf_counter()
            for (copy, _), picture in zip(batch, pictures, strict=True):
                content = encode_jpeg(picture)
                config.cache.add_file(copy.key, content, ".jpg")
                config.writer.write(copy.file, content)
            writing += time.perf_counter() - drawn
        seconds = (read - start, time.perf_counter() - read - writing, writing)
        return Result(seconds, without_person, len(copies) - len(missing))

    return synthesize


def _people(cutter: Cutter, tasks: list[Task]) -> tuple[dict[str, Person], list[str]]:
    """The person of each photo, by image, and the photos whose matte shows none."""
    people: dict[str, Person] = {}
    without: list[str] = []
    for task in tasks:
        photo = cutter.photo(task.image, task.square, sha256=task.sha256)
        matte = cutter.matte(task.image, photo)
        if shows_person(matte):
            people[task.image] = person_of(photo.crop, matte, photo.valid)
        else:
            without.append(task.image)
    return people, without
