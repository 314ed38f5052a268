"""Cuts each photo to a square around its box, brings it to size, and fills the background.

Reads the raw photos, build/photos.parquet, build/boxes.parquet and, where the fill needs them, build/mattes/;
writes build/images/ (JPEG and images.parquet with the square of each photo). Where no box was asked for or
found the whole photo is taken, padded to a square, and `compose.margin` does not apply. Padding shows the
fill; with `keep`, a neutral colour.
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
from pipeline.io.photo import encode_jpeg
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, throughput_line, track
from pipeline.seeds import generator
from pipeline.workers import run_parallel
from stages.shared.artefacts import BOXES, COMPOSED, CROPS, MATTES, PHOTOS
from stages.shared.command import Stage, stage_command

BOXED = ("found", "person_median")  # statuses whose box is a box, not the whole frame


@dataclass(frozen=True)
class Config:
    """What is the same for all photos."""

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
    """What a worker tells of some composed photos."""

    seconds: tuple[float, float, float]  # reading, computing, writing
    people: list[bool]  # False: the photo's matte shows nobody


def run(stage: Stage) -> None:
    """Runs the stage."""
    compose = stage.params.compose
    root, background_rgb = Path(stage.params.data.root), stage.params.ingest.transparent_rgb
    photos = stage.first(PHOTOS.read("image", "width", "height"))
    boxes = BOXES.read("image", "status", "x1", "y1", "x2", "y2")
    orders = ordered(photos, boxes, compose.margin)
    needed = load_plugin("compose.fills", compose.fill).NEEDS_MATTE
    mattes = MATTES.open() if needed else None
    started = time.monotonic()
    spent, empty = [0.0, 0.0, 0.0], []
    with atomic_images(stage.out(COMPOSED.path), stage.params.data.shards) as writer:
        recipe = Config(
            Cutter(root, mattes, compose.size, background_rgb), writer, compose.fill, compose.seed
        )
        groups = groups_of(orders, compose.size)
        done = run_parallel(
            partial(composer, recipe), groups, workers=stage.params.machine.workers, chunk=1, name=_names
        )
        for group, made in zip(groups, track(done, len(groups), "compose", "groups of photos"), strict=True):
            spent = [a + b for a, b in zip(spent, made.seconds, strict=True)]
            empty += [order.image for order, person in zip(group, made.people, strict=True) if not person]
        CROPS.write(writer.folder / CROPS.path.name, geometry(orders, compose.size))
    if empty:
        say(f"compose: the mattes of {len(empty)} photos show no person, only background: {names(empty)}")
    seconds = time.monotonic() - started
    say(throughput_line("compose", len(orders), "photos", seconds, spent))
    stage.measured(seconds, len(orders))


def ordered(photos: pd.DataFrame, boxes: pd.DataFrame, margin: float) -> list[Task]:
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
    orders = []
    for image, width, height, status, *box in zip(*(rows[c].tolist() for c in columns), strict=True):
        x1, y1, x2, y2 = box
        square = square_around((x1, y1, x2, y2), margin) if status in BOXED else whole_frame(width, height)
        orders.append(Task(image, width, height, square))
    return orders


def geometry(orders: list[Task], size: int) -> pd.DataFrame:
    """Table `image, x1, y1, x2, y2` (int64 photo pixels, may reach outside), `scale` (output / photo px)."""
    rows = [
        (o.image, *(o.square.x1, o.square.y1, o.square.x2, o.square.y2), size / o.square.side) for o in orders
    ]
    table = pd.DataFrame(rows, columns=["image", "x1", "y1", "x2", "y2", "scale"])
    return table.astype(
        {"image": "str", "x1": "int64", "y1": "int64", "x2": "int64", "y2": "int64", "scale": "float64"}
    )


def composer(recipe: Config) -> Callable[[list[Task]], Result]:
    """Makes the function that composes and writes some photos, step by step for all of them."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    fill, cutter = load_plugin("compose.fills", recipe.fill), recipe.cutter

    def compose(orders: list[Task]) -> Result:
        start = time.perf_counter()
        seen = [cutter.photo(o.image, o.square, (o.width, o.height)) for o in orders]
        mattes = [cutter.matte(o.image, photo) for o, photo in zip(orders, seen, strict=True)]
        read = time.perf_counter()
        draws = [generator(recipe.seed, "compose", o.image) for o in orders]
        if fill.NEEDS_MATTE:
            people = [
                person_of(photo.crop, matte, photo.valid) for photo, matte in zip(seen, mattes, strict=True)
            ]
            behind = [
                fill.background(p.picture, p.old_background, rng)
                for p, rng in zip(people, draws, strict=True)
            ]
            pictures = [person.on(plate) for person, plate in zip(people, behind, strict=True)]
        else:
            pictures = [fill.background(p.crop, p.valid, rng) for p, rng in zip(seen, draws, strict=True)]
        computed = time.perf_counter()
        encoded = [encode_jpeg(picture) for picture in pictures]
        for order, data in zip(orders, encoded, strict=True):
            recipe.writer.write(composed_name(order.image), data)
        seconds = (read - start, computed - read, time.perf_counter() - computed)
        return Result(seconds, [shows_person(matte) for matte in mattes])

    return compose


def names(images: list[str], most: int = 5) -> str:
    """The first few, and how many more."""
    return ", ".join(images[:most]) + (f" and {len(images) - most} more" if len(images) > most else "")


def _names(orders: list[Task]) -> str:
    return ", ".join(order.image for order in orders)


if __name__ == "__main__":
    stage_command("compose", run, __doc__ or "")
