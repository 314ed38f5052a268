"""Makes extra training pictures: copies of photos on other backgrounds.

Reads the raw photos, the squares in build/images/images.parquet, build/mattes/, labels and folds; writes
build/synthetic/ (JPEG and synthetic.parquet). Only training photos get copies; a copy keeps its photo's
person, fold and training target. A background photo comes from another person of the same fold, so no pixel
leaks from the validation fold into training.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

import pipeline.compose
import pipeline.io
import pipeline.seeds
from pipeline.compose.backgrounds import Candidate, ChooseFn, Sources
from pipeline.compose.balance import copies_per_photo
from pipeline.compose.crop import Square
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.compose.synthesizing import Config, Task, make_synthesizer
from pipeline.io.parcel import Source
from pipeline.io.result_cache import ResultCache, Row, code_identity
from pipeline.params import Params
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, throughput_line, track
from pipeline.seeds import seed_of
from pipeline.workers.run import run_parallel
from stages.shared.artefacts import COPIES, CROPS, FOLDS, LABELS, MATTES, PHOTOS, SYNTHETIC
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store

DRAWING = ("numpy", "opencv-python-headless", "pillow", "simplejpeg")
COLUMNS = {
    "file": "str",
    "image": "str",
    "person": "str",
    "fold": "int64",
    "donor": "str",
    "train_class": "int64",
}


def run(stage: Stage) -> None:
    """Runs the stage."""
    synthesize, size = stage.params.synthesize, stage.params.compose.size
    if synthesize.copies == 0:
        with stage.pictures(SYNTHETIC, stage.params.data.shards) as writer:
            nothing = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
            COPIES.write(writer.folder / COPIES.path.name, nothing)
        return
    people = labelled_photos()
    sources = Sources(
        photos=open_photo_store(stage.params.data.root),
        mattes=MATTES.open(),
        folder=Path(synthesize.folder) if synthesize.folder else None,
        background_rgb=stage.params.ingest.transparent_rgb,
        checksums=dict(zip(people["image"], people["sha256"], strict=True)),
        machine=stage.params.machine,
    )
    choose = load_plugin("compose.backgrounds", synthesize.backgrounds).chooser(sources, candidates(people))
    photos = stage.first(people[people["train_class"] >= 0].reset_index(drop=True))
    count = copies_per_photo(photos, synthesize.copies, synthesize.balance, synthesize.seed)
    tasks, table = plan_copies(photos, count, choose, synthesize.seed)
    with stage.pictures(SYNTHETIC, stage.params.data.shards) as writer:
        cache = ResultCache(stage.result_cache, "synthesize", _identity(stage.params))
        config = Config(sources, synthesize.backgrounds, writer, cache, size, synthesize.seed)
        without_person = write_copies(stage, config, tasks)
        copies = table[~table["image"].isin(without_person)].reset_index(drop=True)
        COPIES.write(writer.folder / COPIES.path.name, copies)


def _identity(params: Params) -> Row:
    """What decides all copies, besides photo, square, matte and donor."""
    synthesize, background = params.synthesize, list(params.ingest.transparent_rgb)
    decided: Row = {"size": params.compose.size, "seed": synthesize.seed, "background": background}
    decided["backgrounds"] = synthesize.backgrounds
    return decided | code_identity([pipeline.compose, pipeline.io, pipeline.seeds], DRAWING)


def labelled_photos() -> pd.DataFrame:
    """Labelled photos: `image, sha256, person, train_class, fold, x1, y1, x2, y2`, sorted by image."""
    labels = LABELS.read("image", "person", "train_class")
    folds = FOLDS.read("person", "fold")
    squares = CROPS.read("image", "x1", "y1", "x2", "y2")
    checksums = PHOTOS.read("image", "sha256")
    table = labels.merge(folds, on="person", how="left").merge(checksums, on="image", how="left")
    table = table.merge(squares, on="image", how="left").sort_values(
        "image", kind="stable", ignore_index=True
    )
    lacking = table[table[["fold", "x1", "sha256"]].isna().any(axis=1)]
    if len(lacking):
        raise UserError(
            f"{len(lacking)} labelled photos have no fold or no square",
            where="build/folds.parquet, build/images/images.parquet",
            got=str(lacking["image"].iloc[0]),
            fix="run `dvc repro split compose`",
        )
    return table.astype(dict.fromkeys(["fold", "x1", "y1", "x2", "y2"], "int64"))


def candidates(people: pd.DataFrame) -> list[Candidate]:
    """Each labelled photo as a background for other people."""
    columns = (people[c].tolist() for c in ("image", "person", "fold"))
    return [Candidate(*row) for row in zip(*columns, strict=True)]


def plan_copies(
    photos: pd.DataFrame, count: np.ndarray, choose: ChooseFn, seed: int
) -> tuple[list[Task], pd.DataFrame]:
    """A task per photo with copies, and the rows of synthetic.parquet, in the order of `photos`."""
    tasks: list[Task] = []
    rows: list[tuple[str, str, str, int, str, int]] = []
    columns = ("image", "sha256", "person", "fold", "train_class", "x1", "y1", "x2", "y2")
    for copies, image, sha256, person, fold, target, *square in zip(
        count.tolist(), *(photos[c].tolist() for c in columns), strict=True
    ):
        stem = PurePosixPath(image).with_suffix("").as_posix()
        files = [f"{stem}__{k}.jpg" for k in range(copies)]
        photo = Candidate(image, person, fold)
        donors = [choose(photo, seed_of(seed, "donor", image, k)) for k in range(copies)]
        rows += [
            (file, image, person, fold, donor, target) for file, donor in zip(files, donors, strict=True)
        ]
        if copies:
            tasks.append(Task(image, sha256, Square(*square), files, donors))
    return tasks, pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def write_copies(stage: Stage, config: Config, tasks: list[Task]) -> list[str]:
    """Draws and writes all pictures; returns the photos without copies, those with an empty matte."""
    started, spent, without_person, hits = time.monotonic(), [0.0, 0.0, 0.0], list[str](), 0
    groups, machine = groups_of(tasks, config.size), stage.params.machine
    factory, reads = partial(make_synthesizer, config), partial(_sources_of, config)
    done = run_parallel(factory, groups, machine=machine, chunk=1, name=_names, reads=reads)
    for result in track(done, len(groups), "synthesize", "groups of photos"):
        spent = [a + b for a, b in zip(spent, result.seconds, strict=True)]
        without_person += result.without_person
        hits += result.hits
    if without_person:
        shown = ", ".join(without_person[:5]) + (" …" if len(without_person) > 5 else "")
        say(
            f"synthesize: the matte of {len(without_person)} photos shows no person, so they get no copies: "
            f"{shown}"
        )
    nobody = set(without_person)
    count = sum(len(task.files) for task in tasks if task.image not in nobody)
    seconds = time.monotonic() - started
    say(throughput_line("synthesize", count, "pictures", seconds, spent, hits))
    stage.keep(config.cache, hits, count, seconds)
    return without_person


def _sources_of(config: Config, tasks: list[Task]) -> list[Source]:
    """The photos, their mattes, and what their backgrounds are made of."""
    sources, backgrounds = config.sources, load_plugin("compose.backgrounds", config.backgrounds)
    cutter = Cutter(sources.photos, sources.mattes, config.size)
    own = [source for task in tasks for source in cutter.sources(task.image)]
    return own + [s for task in tasks for donor in task.donors for s in backgrounds.reads(sources, donor)]


def _names(tasks: list[Task]) -> str:
    return ", ".join(task.image for task in tasks)


if __name__ == "__main__":
    stage_command("synthesize", run, __doc__ or "")
