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
import numpy as np
import pandas as pd

from pipeline.composite import composite, shows_person, snapped
from pipeline.crop import NEUTRAL, Square, cut, inside, placement, square_around, whole_frame
from pipeline.errors import UserError
from pipeline.kinds import load_kind
from pipeline.pace import pace
from pipeline.photo import encode_jpeg, read_photo
from pipeline.picture_store import PictureStore, PictureWriter, composed_name, published_pictures
from pipeline.progress import say, track
from pipeline.seeds import generator
from pipeline.tables import read_table, write_table
from pipeline.workers import run_parallel
from stages.command import Stage, stage_command

BOXED = ("found", "person_median")  # statuses whose box is a box, not the whole frame
MATTES = Path("build/mattes")


@dataclass(frozen=True)
class Recipe:
    """What is the same for all photos."""

    root: Path
    mattes: PictureStore | None  # None: the fill needs none
    writer: PictureWriter
    fill: str
    size: int
    seed: int
    behind: tuple[int, int, int]


class Order(NamedTuple):
    """One photo to compose."""

    image: str
    width: int
    height: int
    square: Square


class Made(NamedTuple):
    """What a worker tells of a composed photo."""

    seconds: tuple[float, float, float]  # reading, computing, writing
    person: bool  # False: the matte shows nobody


def run(stage: Stage) -> None:
    """Runs the stage."""
    compose = stage.params.compose
    root, behind = Path(stage.params.data.root), stage.params.ingest.background
    photos = stage.first(read_table(Path("build/photos.parquet"), "ingest", ("image", "width", "height")))
    orders = ordered(
        photos, read_table(Path("build/boxes.parquet"), "detect", ("image", "status")), compose.margin
    )
    needed = load_kind("fills", compose.fill).NEEDS_MATTE
    mattes = PictureStore.verified(MATTES, "segment") if needed else None
    started = time.monotonic()
    spent, empty = [0.0, 0.0, 0.0], []
    with published_pictures(stage.out("build/images"), stage.params.data.shards) as writer:
        recipe = Recipe(root, mattes, writer, compose.fill, compose.size, compose.seed, behind)
        done = run_parallel(
            partial(composer, recipe), orders, workers=stage.params.machine.workers, name=_name
        )
        for order, made in zip(orders, track(done, len(orders), "compose"), strict=True):
            spent = [a + b for a, b in zip(spent, made.seconds, strict=True)]
            empty += [] if made.person else [order.image]
        write_table(writer.folder / "images.parquet", geometry(orders, compose.size))
    if empty:
        say(f"compose: the mattes of {len(empty)} photos show no person, only background: {names(empty)}")
    say(pace("compose", len(orders), "photos", time.monotonic() - started, spent))


def ordered(photos: pd.DataFrame, boxes: pd.DataFrame, margin: float) -> list[Order]:
    """The square of each photo, in the order of `photos`.

    Raises:
        UserError: a photo has no row in `boxes`.
    """
    rows = photos[["image", "width", "height"]].merge(boxes, on="image", how="left")
    missing = rows.loc[rows["status"].isna(), "image"]
    if len(missing):
        raise UserError(
            f"{len(missing)} photos have no box",
            where="build/boxes.parquet",
            got=str(missing.iloc[0]),
            fix="run `dvc repro detect`",
        )
    columns = ("image", "width", "height", "status", "x1", "y1", "x2", "y2")
    orders = []
    for image, width, height, status, *box in zip(*(rows[c].tolist() for c in columns), strict=True):
        x1, y1, x2, y2 = box
        square = square_around((x1, y1, x2, y2), margin) if status in BOXED else whole_frame(width, height)
        orders.append(Order(image, width, height, square))
    return orders


def geometry(orders: list[Order], size: int) -> pd.DataFrame:
    """Table `image, x1, y1, x2, y2` (int64 photo pixels, may reach outside), `scale` (output / photo px)."""
    rows = [
        (o.image, *(o.square.x1, o.square.y1, o.square.x2, o.square.y2), size / o.square.side) for o in orders
    ]
    table = pd.DataFrame(rows, columns=["image", "x1", "y1", "x2", "y2", "scale"])
    return table.astype(
        {"image": "str", "x1": "int64", "y1": "int64", "x2": "int64", "y2": "int64", "scale": "float64"}
    )


def composer(recipe: Recipe) -> Callable[[Order], Made]:
    """Makes the function that composes and writes one photo."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    fill = load_kind("fills", recipe.fill)
    size = recipe.size

    def compose(order: Order) -> Made:
        start = time.perf_counter()
        photo = read_photo(recipe.root / order.image, recipe.behind)
        alpha = recipe.mattes.matte(order.image) if recipe.mattes else None
        read = time.perf_counter()
        check_size(order, photo, alpha)
        where = placement(order.square, order.width, order.height, size)
        crop = cut(photo, where, size, NEUTRAL)
        known = inside(where, size)
        rng = generator(recipe.seed, "compose", order.image)
        matte = None if alpha is None else cut(alpha, where, size, 0)
        if matte is None:
            picture = fill.background(crop, known, rng)
        else:
            behind = cv2.bitwise_and(known, cv2.inRange(snapped(matte), 0, 0))
            picture = composite(crop, matte, fill.background(crop, behind, rng), known)
        computed = time.perf_counter()
        recipe.writer.write(composed_name(order.image), encode_jpeg(picture))
        seconds = (read - start, computed - read, time.perf_counter() - computed)
        return Made(seconds, matte is None or shows_person(matte))

    return compose


def check_size(order: Order, photo: np.ndarray, alpha: np.ndarray | None) -> None:
    """Refuses a photo that is not the one that was ingested, or a matte of another size."""
    for what, found in (("photo", photo), ("matte", alpha)):
        if found is not None and found.shape[:2] != (order.height, order.width):
            raise UserError(
                f"a {what} has another size than its photo had when it was ingested",
                where=order.image,
                got=f"{found.shape[1]} x {found.shape[0]}",
                allowed=f"{order.width} x {order.height}",
                fix="run `dvc repro`",
            )


def names(images: list[str], most: int = 5) -> str:
    """The first few, and how many more."""
    return ", ".join(images[:most]) + (f" and {len(images) - most} more" if len(images) > most else "")


def _name(order: Order) -> str:
    return order.image


if __name__ == "__main__":
    stage_command("compose", run, __doc__ or "")
