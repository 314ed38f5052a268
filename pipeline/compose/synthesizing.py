"""Draws photos' copies on other backgrounds, in groups. Copies of the same bytes come from the cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
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
    known = config.cache.files()

    def keys_of(task: Task) -> list[str]:
        matte = sources.mattes.digest(task.image)
        own = (task.sha256, astuple(task.square), matte)
        return [key_of(*own, file, backgrounds.facts(sources, donor)) for file, donor in task.copies()]

    def write_known(task: Task, keys: list[str]) -> bool:
        """Writes all copies from the cache, or says that one is not there."""
        if not all(key in known for key in keys):
            return False
        contents = [config.cache.read(known[key]) for key in keys]
        if None in contents:
            return False
        for file, key, content in zip(task.files, keys, contents, strict=True):
            config.writer.write(file, content or b"", known[key])
        return True

    def synthesize(tasks: list[Task]) -> Result:
        start = time.perf_counter()
        keys = {task.image: keys_of(task) for task in tasks}
        missing = [task for task in tasks if not write_known(task, keys[task.image])]
        hits = sum(len(task.files) for task in tasks) - sum(len(task.files) for task in missing)
        people, without_person = _people(cutter, missing)
        read = time.perf_counter()
        pairs = [
            (file, donor, key, people[task.image])
            for task in missing
            if task.image in people
            for (file, donor), key in zip(task.copies(), keys[task.image], strict=True)
        ]
        writing = 0.0
        for batch in groups_of(pairs, size):
            plates = [
                backgrounds.picture(sources, donor, size, generator(config.seed, "background", file))
                for file, donor, *_ in batch
            ]
            pictures = [person.on(plate) for (*_, person), plate in zip(batch, plates, strict=True)]
            drawn = time.perf_counter()
            for (file, _, key, _), picture in zip(batch, pictures, strict=True):
                content = encode_jpeg(picture)
                config.writer.write(file, content, config.cache.add_file(key, content, ".jpg"))
            writing += time.perf_counter() - drawn
        seconds = (read - start, time.perf_counter() - read - writing, writing)
        return Result(seconds, without_person, hits)

    return synthesize


def _people(cutter: Cutter, tasks: list[Task]) -> tuple[dict[str, Person], list[str]]:
    """The person of each photo, by image, and the photos whose matte shows none."""
    people: dict[str, Person] = {}
    without: list[str] = []
    for task in tasks:
        photo = cutter.photo(task.image, task.square)
        matte = cutter.matte(task.image, photo)
        if shows_person(matte):
            people[task.image] = person_of(photo.crop, matte, photo.valid)
        else:
            without.append(task.image)
    return people, without
