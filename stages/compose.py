"""Crops each photo to a square around its box, resizes it, and fills the background.

Reads the raw photos, build/photos.parquet, build/boxes.parquet and, if the fill needs them, build/mattes/;
writes build/images/ (JPEG and images.parquet with the square of each photo). Without a detected box, takes
the whole photo, padded to a square, and ignores `compose.margin`. Padding shows the fill; with `keep`, a
neutral colour.
"""

from __future__ import annotations

import time
from functools import partial

import pandas as pd

import pipeline.compose
import pipeline.io
import pipeline.seeds
from pipeline.compose.composing import Config, Task, make_composer
from pipeline.compose.crop import square_around, whole_frame
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.io.parcel import Source
from pipeline.io.result_cache import ResultCache, Row, code_identity
from pipeline.params import Params
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, throughput_line, track
from pipeline.workers.run import run_parallel
from stages.shared.artefacts import BOXES, COMPOSED, CROPS, MATTES, PHOTOS
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store

DRAWING = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")
MOST_KEPT = 50_000  # photos; making a file for each in the result cache takes longer than composing it anew
BOXED = ("found", "implausible", "person_median", "set_median")  # statuses with a box, not the whole frame


def run(stage: Stage) -> None:
    """Runs the stage."""
    compose = stage.params.compose
    background_rgb = stage.params.ingest.transparent_rgb
    photos = stage.first(PHOTOS.read("image", "sha256", "width", "height"))
    boxes = BOXES.read("image", "status", "x1", "y1", "x2", "y2")
    tasks = make_tasks(photos, boxes, compose.margin)
    needs_matte = load_plugin("compose.fills", compose.fill).NEEDS_MATTE
    mattes = MATTES.open() if needs_matte else None
    keeps, started = len(tasks) <= MOST_KEPT, time.monotonic()
    if not keeps:
        say(f"compose: more than {MOST_KEPT:,} photos: no picture is kept for another run of this stage")
    cache = ResultCache(stage.result_cache, "compose", _identity(stage.params))
    spent, without_person, hits = [0.0, 0.0, 0.0], list[str](), 0
    with stage.pictures(COMPOSED, stage.params.data.shards) as writer:
        cutter = Cutter(open_photo_store(stage.params.data.root), mattes, compose.size, background_rgb)
        config = Config(cutter, writer, cache, compose.fill, compose.seed, keeps)
        groups = groups_of(tasks, compose.size)
        done = run_parallel(
            partial(make_composer, config),
            groups,
            machine=stage.params.machine,
            chunk=1,
            name=_task_names,
            reads=partial(_sources_of, config.cutter),
        )
        for result in track(done, len(groups), "compose", "groups of photos"):
            spent = [a + b for a, b in zip(spent, result.seconds, strict=True)]
            without_person += result.without_person
            hits += result.hits
        CROPS.write(writer.folder / CROPS.path.name, crop_table(tasks, compose.size))
    if without_person:
        say(
            f"compose: the mattes of {len(without_person)} photos show no person, only background: "
            f"{list_names(without_person)}"
        )
    seconds = time.monotonic() - started
    say(throughput_line("compose", len(tasks), "photos", seconds, spent, hits))
    stage.keep(cache, hits, len(tasks), seconds)


def _identity(params: Params) -> Row:
    """What decides all pictures, besides photo, square and matte."""
    compose, background = params.compose, list(params.ingest.transparent_rgb)
    decided: Row = {
        "size": compose.size,
        "fill": compose.fill,
        "seed": compose.seed,
        "background": background,
    }
    return decided | code_identity([pipeline.compose, pipeline.io, pipeline.seeds], DRAWING)


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
    columns = ("image", "sha256", "width", "height", "status", "x1", "y1", "x2", "y2")
    tasks = []
    for image, sha256, width, height, status, *box in zip(*(rows[c].tolist() for c in columns), strict=True):
        x1, y1, x2, y2 = box
        square = square_around((x1, y1, x2, y2), margin) if status in BOXED else whole_frame(width, height)
        tasks.append(Task(image, sha256, width, height, square))
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
