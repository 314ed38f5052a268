"""Prepares `train.background_swap`: mattes of the composed pictures, and other backgrounds.

Reads the raw photos of build/photos.parquet, their squares in build/images/images.parquet and build/mattes/;
writes build/plates/: for each labelled photo `<image>.png`, its matte in the square, `<image>.jpg`, a
background of `synthesize.backgrounds`, and plates.parquet. Reads no labels or folds: `train` decides which
background may go behind whom. Writes nothing while `train.background_swap` is 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import pandas as pd

from pipeline.compose.backgrounds import Candidate, Sources
from pipeline.compose.composite import shows_person
from pipeline.compose.crop import Square, cut, placement
from pipeline.io.image_store import ImageWriter, composed_name, matte_name
from pipeline.io.parcel import Source
from pipeline.io.photo import encode_jpeg, encode_matte
from pipeline.params.machine import Machine
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, throughput_line, track
from pipeline.seeds import generator, seed_of
from pipeline.workers.run import run_parallel
from stages.shared.artefacts import CROPS, MATTES, PHOTOS, PLATE_TABLE, PLATES
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store

COLUMNS = {
    "image": "str",
    "person_seen": "bool",
    "left": "float64",
    "top": "float64",
    "right": "float64",
    "bottom": "float64",
    "donor": "str",
    "donor_person": "str",
}


@dataclass(frozen=True)
class Config:
    """Settings for all photos."""

    sources: Sources
    backgrounds: str
    writer: ImageWriter
    size: int
    seed: int


class Task(NamedTuple):
    """One photo, its square, and the donor of its background."""

    image: str
    square: Square
    donor: str


class Result(NamedTuple):
    """`inside`: left, top, right, bottom of the photo in its square, as shares of the square's side."""

    inside: tuple[float, float, float, float]
    person: bool  # False: the matte is empty
    seconds: tuple[float, float, float]  # reading, computing, writing


def run(stage: Stage) -> None:
    """Runs the stage."""
    if stage.params.train.background_swap == 0:
        with stage.pictures(PLATES, stage.params.data.shards) as writer:
            PLATE_TABLE.write(
                writer.folder / PLATE_TABLE.path.name, pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
            )
        return
    params, folder = stage.params, stage.params.synthesize.folder
    sources = Sources(
        photos=open_photo_store(params.data.root),
        mattes=MATTES.open(),
        folder=Path(folder) if folder else None,
        background_rgb=params.ingest.transparent_rgb,
        machine=params.machine,
    )
    backgrounds, seed = params.synthesize.backgrounds, params.synthesize.seed
    photos = PHOTOS.read("image", "person", "split")
    squares = CROPS.read("image", "x1", "y1", "x2", "y2")
    photos = stage.first(photos[photos["split"] == "train"].merge(squares, on="image").sort_values("image"))
    tasks = make_tasks(photos, sources, backgrounds, seed)
    with stage.pictures(PLATES, stage.params.data.shards) as writer:
        started = time.monotonic()
        results = draw_plates(
            Config(sources, backgrounds, writer, params.compose.size, seed), tasks, params.machine
        )
        stage.measured(time.monotonic() - started, len(tasks))
        PLATE_TABLE.write(writer.folder / PLATE_TABLE.path.name, plate_table(tasks, results, photos))


def make_tasks(photos: pd.DataFrame, sources: Sources, backgrounds: str, seed: int) -> list[Task]:
    """A task for each of `photos`: `image, person, x1, y1, x2, y2`."""
    names = zip(photos["image"], photos["person"], strict=True)
    people = [Candidate(image, person, 0) for image, person in names]
    choose = load_plugin("compose.backgrounds", backgrounds).chooser(sources, people)
    corners = photos[["x1", "y1", "x2", "y2"]].to_numpy().tolist()
    return [
        Task(photo.image, Square(*square), choose(photo, seed_of(seed, "plate", photo.image)))
        for photo, square in zip(people, corners, strict=True)
    ]


def draw_plates(config: Config, tasks: list[Task], machine: Machine) -> list[Result]:
    """Draws and writes all pictures."""
    started = time.monotonic()
    factory, reads = partial(make_drawer, config), partial(_sources_of, config)
    done = run_parallel(factory, tasks, machine=machine, name=_name, reads=reads)
    results = list(track(done, len(tasks), "plates"))
    without_person = sum(not m.person for m in results)
    if without_person:
        say(f"plates: the matte of {without_person} photos shows no person; their background stays")
    spent = [sum(m.seconds[part] for m in results) for part in range(3)]
    say(throughput_line("plates", len(tasks), "photos", time.monotonic() - started, spent))
    return results


def make_drawer(config: Config) -> Callable[[Task], Result]:
    """Makes a worker's function, which draws and writes the pictures of one photo."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    backgrounds = load_plugin("compose.backgrounds", config.backgrounds)
    sources, size = config.sources, config.size

    def draw(task: Task) -> Result:
        start = time.perf_counter()
        alpha = sources.mattes.matte(task.image)
        read = time.perf_counter()
        where = placement(task.square, alpha.shape[1], alpha.shape[0], size)
        matte = cut(alpha, where, size, 0)
        plate = backgrounds.picture(sources, task.donor, size, generator(config.seed, "plate", task.image))
        computed = time.perf_counter()
        config.writer.write(matte_name(task.image), encode_matte(matte))
        config.writer.write(composed_name(task.image), encode_jpeg(plate))
        rows, columns = where.output
        inside = (columns.start / size, rows.start / size, columns.stop / size, rows.stop / size)
        seconds = (read - start, computed - read, time.perf_counter() - computed)
        return Result(inside, shows_person(matte), seconds)

    return draw


def plate_table(tasks: list[Task], results: list[Result], photos: pd.DataFrame) -> pd.DataFrame:
    """The rows of plates.parquet; `donor_person` is "" where the background is no photo of the set."""
    owner = dict(zip(photos["image"], photos["person"], strict=True))
    rows = [
        (task.image, m.person, *m.inside, task.donor, owner.get(task.donor, ""))
        for task, m in zip(tasks, results, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _sources_of(config: Config, task: Task) -> list[Source]:
    backgrounds = load_plugin("compose.backgrounds", config.backgrounds)
    matte = config.sources.mattes.source(matte_name(task.image))
    return [matte, *backgrounds.reads(config.sources, task.donor)]


def _name(task: Task) -> str:
    return task.image


if __name__ == "__main__":
    stage_command("plates", run, __doc__ or "")
