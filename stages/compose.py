"""Crops each photo to a square around its box, resizes it, and fills the background.

Reads the raw photos, build/photos.parquet, build/boxes.parquet and, if the fill needs them, build/mattes/;
writes build/images/ (JPEG and images.parquet with the square of each photo). Without a detected box, takes
the whole photo, padded to a square, and ignores `compose.margin`. Padding shows the fill; with `keep`, a
neutral colour.
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

from pipeline.compose.composite import person_of, shows_person
from pipeline.compose.crop import Square, square_around, whole_frame
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.io.image_store import ImageWriter, atomic_images, composed_name
from pipeline.io.parcel import Source
from pipeline.io.photo import encode_jpeg
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, throughput_line, track
from pipeline.seeds import generator
from pipeline.workers.run import run_parallel
from stages.shared.artefacts import BOXES, COMPOSED, CROPS, MATTES, PHOTOS
from stages.shared.command import Stage, stage_command

BOXED = ("found", "implausible", "person_median", "set_median")  # statuses with a box, not the whole frame


@dataclass(frozen=True)
class Config:
    """Settings for all photos."""

    cutter: Cutter
    writer: ImageWriter
    fill: str
    seed: int


class Task(NamedTuple):
    """One photo to compose."""

    image: str
    width: int
    height: int
    square: Square


class Result(NamedTuple):
    """A worker's report about a group of photos."""

    seconds: tuple[float, float, float]  # reading, computing, writing
    people: list[bool]  # False: the photo's matte is empty


def run(stage: Stage) -> None:
    """Runs the stage."""
    compose = stage.params.compose
    root, background_rgb = Path(stage.params.data.root), stage.params.ingest.transparent_rgb
    photos = stage.first(PHOTOS.read("image", "width", "height"))
    boxes = BOXES.read("image", "status", "x1", "y1", "x2", "y2")
    tasks = make_tasks(photos, boxes, compose.margin)
    needs_matte = load_plugin("compose.fills", compose.fill).NEEDS_MATTE
    mattes = MATTES.open() if needs_matte else None
    started = time.monotonic()
    spent, without_person = [0.0, 0.0, 0.0], []
    with atomic_images(stage.out(COMPOSED.path), stage.params.data.shards) as writer:
        config = Config(
            Cutter(root, mattes, compose.size, background_rgb), writer, compose.fill, compose.seed
        )
        groups = groups_of(tasks, compose.size)
        done = run_parallel(
            partial(make_composer, config),
            groups,
            machine=stage.params.machine,
            chunk=1,
            name=_task_names,
            reads=partial(_sources_of, config.cutter),
        )
        for group, result in zip(
            groups, track(done, len(groups), "compose", "groups of photos"), strict=True
        ):
            spent = [a + b for a, b in zip(spent, result.seconds, strict=True)]
            without_person += [
                task.image for task, person in zip(group, result.people, strict=True) if not person
            ]
        CROPS.write(writer.folder / CROPS.path.name, crop_table(tasks, compose.size))
    if without_person:
        say(
            f"compose: the mattes of {len(without_person)} photos show no person, only background: "
            f"{list_names(without_person)}"
        )
    seconds = time.monotonic() - started
    say(throughput_line("compose", len(tasks), "photos", seconds, spent))
    stage.measured(seconds, len(tasks))


def make_tasks(photos: pd.DataFrame, boxes: pd.DataFrame, margin: float) -> list[Task]:
    """The square of each photo, in the order of `photos`.

    Raises:
        UserError: a photo has no row in `boxes`.
    """
    rows = photos.merge(boxes, on="image", how="left")
    missing = rows.loc[rows["status"].isna(), "image"]
    if len(missing):
        raise UserError(
            f"{len(missing)} photos have no box",
            where=BOXES.path,
            got=str(missing.iloc[0]),
            fix="run `dvc repro detect`",
        )
    columns = ("image", "width", "height", "status", "x1", "y1", "x2", "y2")
    tasks = []
    for image, width, height, status, *box in zip(*(rows[c].tolist() for c in columns), strict=True):
        x1, y1, x2, y2 = box
        square = square_around((x1, y1, x2, y2), margin) if status in BOXED else whole_frame(width, height)
        tasks.append(Task(image, width, height, square))
    return tasks


def crop_table(tasks: list[Task], size: int) -> pd.DataFrame:
    """Table `image, x1, y1, x2, y2` (int64 photo pixels, may reach outside), `scale` (output / photo px)."""
    rows = [
        (o.image, *(o.square.x1, o.square.y1, o.square.x2, o.square.y2), size / o.square.side) for o in tasks
    ]
    table = pd.DataFrame(rows, columns=["image", "x1", "y1", "x2", "y2", "scale"])
    return table.astype(
        {"image": "str", "x1": "int64", "y1": "int64", "x2": "int64", "y2": "int64", "scale": "float64"}
    )


def make_composer(config: Config) -> Callable[[list[Task]], Result]:
    """Makes a worker's function, which composes and writes a group of photos."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    fill, cutter = load_plugin("compose.fills", config.fill), config.cutter

    def compose(tasks: list[Task]) -> Result:
        start = time.perf_counter()
        cutouts = [cutter.photo(o.image, o.square, (o.width, o.height)) for o in tasks]
        mattes = [cutter.matte(o.image, photo) for o, photo in zip(tasks, cutouts, strict=True)]
        read = time.perf_counter()
        generators = [generator(config.seed, "compose", o.image) for o in tasks]
        if fill.NEEDS_MATTE:
            people = [
                person_of(photo.crop, matte, photo.valid)
                for photo, matte in zip(cutouts, mattes, strict=True)
            ]
            plates = [
                fill.background(p.picture, p.old_background, rng)
                for p, rng in zip(people, generators, strict=True)
            ]
            pictures = [person.on(plate) for person, plate in zip(people, plates, strict=True)]
        else:
            pictures = [
                fill.background(p.crop, p.valid, rng) for p, rng in zip(cutouts, generators, strict=True)
            ]
        computed = time.perf_counter()
        encoded = [encode_jpeg(picture) for picture in pictures]
        for task, data in zip(tasks, encoded, strict=True):
            config.writer.write(composed_name(task.image), data)
        seconds = (read - start, computed - read, time.perf_counter() - computed)
        return Result(seconds, [shows_person(matte) for matte in mattes])

    return compose


def list_names(images: list[str], max_names: int = 5) -> str:
    """The first few names, and the number of others."""
    return ", ".join(images[:max_names]) + (
        f" and {len(images) - max_names} more" if len(images) > max_names else ""
    )


def _sources_of(cutter: Cutter, tasks: list[Task]) -> list[Source]:
    return [source for task in tasks for source in cutter.sources(task.image)]


def _task_names(tasks: list[Task]) -> str:
    return ", ".join(task.image for task in tasks)


if __name__ == "__main__":
    stage_command("compose", run, __doc__ or "")
