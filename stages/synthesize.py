"""Makes extra training pictures: copies of photos on other backgrounds.

Reads the raw photos, the squares in build/images/images.parquet, build/mattes/, labels and folds; writes
build/synthetic/ (JPEG and synthetic.parquet). Only training photos get copies; a copy keeps its photo's
person, fold and training target. A background photo comes from another person of the same fold, so no pixel
leaks from the validation fold into training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from pipeline.compose.backgrounds import Candidate, ChooseFn, Sources
from pipeline.compose.balance import copies_per_photo
from pipeline.compose.composite import person_of, shows_person
from pipeline.compose.crop import Square
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.io.image_store import ImageWriter, atomic_images
from pipeline.io.parcel import Source
from pipeline.io.photo import encode_jpeg
from pipeline.params.machine import Machine
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, throughput_line, track
from pipeline.seeds import generator, seed_of
from pipeline.workers.run import run_parallel
from stages.shared.artefacts import COPIES, CROPS, FOLDS, LABELS, MATTES, SYNTHETIC
from stages.shared.command import Stage, stage_command

COLUMNS = {
    "file": "str",
    "image": "str",
    "person": "str",
    "fold": "int64",
    "donor": "str",
    "train_class": "int64",
}


@dataclass(frozen=True)
class Config:
    """Settings for all pictures."""

    sources: Sources
    backgrounds: str
    writer: ImageWriter
    size: int
    seed: int


class Task(NamedTuple):
    """One photo, with all its copies."""

    image: str
    square: Square
    files: list[str]
    donors: list[str]

    def copies(self) -> Iterator[tuple[str, str]]:
        """File and donor of each copy."""
        return zip(self.files, self.donors, strict=True)


class Result(NamedTuple):
    """A worker's report about a group of photos."""

    seconds: tuple[float, float, float]  # reading, computing, writing
    people: list[bool]  # False: the photo's matte is empty, so nothing was written


def run(stage: Stage) -> None:
    """Runs the stage."""
    synthesize, size = stage.params.synthesize, stage.params.compose.size
    if synthesize.copies == 0:
        with atomic_images(stage.out(SYNTHETIC.path), stage.params.data.shards) as writer:
            nothing = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
            COPIES.write(writer.folder / COPIES.path.name, nothing)
        return
    sources = Sources(
        photos=Path(stage.params.data.root),
        mattes=MATTES.open(),
        folder=Path(synthesize.folder) if synthesize.folder else None,
        background_rgb=stage.params.ingest.transparent_rgb,
        machine=stage.params.machine,
    )
    people = labelled_photos()
    choose = load_plugin("compose.backgrounds", synthesize.backgrounds).chooser(sources, candidates(people))
    photos = stage.first(people[people["train_class"] >= 0].reset_index(drop=True))
    count = copies_per_photo(photos, synthesize.copies, synthesize.balance, synthesize.seed)
    tasks, table = plan_copies(photos, count, choose, synthesize.seed)
    with atomic_images(stage.out(SYNTHETIC.path), stage.params.data.shards) as writer:
        config = Config(sources, synthesize.backgrounds, writer, size, synthesize.seed)
        started = time.monotonic()
        without_person = write_copies(config, tasks, stage.params.machine)
        stage.measured(time.monotonic() - started, len(table))
        copies = table[~table["image"].isin(without_person)].reset_index(drop=True)
        COPIES.write(writer.folder / COPIES.path.name, copies)


def labelled_photos() -> pd.DataFrame:
    """Labelled photos: `image, person, train_class, fold, x1, y1, x2, y2`, sorted by image."""
    labels = LABELS.read("image", "person", "train_class")
    folds = FOLDS.read("person", "fold")
    squares = CROPS.read("image", "x1", "y1", "x2", "y2")
    table = labels.merge(folds, on="person", how="left")
    table = table.merge(squares, on="image", how="left").sort_values(
        "image", kind="stable", ignore_index=True
    )
    lacking = table[table[["fold", "x1"]].isna().any(axis=1)]
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
    columns = ("image", "person", "fold", "train_class", "x1", "y1", "x2", "y2")
    for copies, image, person, fold, target, *square in zip(
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
            tasks.append(Task(image, Square(*square), files, donors))
    return tasks, pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def write_copies(config: Config, tasks: list[Task], machine: Machine) -> list[str]:
    """Draws and writes all pictures; returns the photos without copies, those with an empty matte."""
    started, spent, without_person, count = time.monotonic(), [0.0, 0.0, 0.0], [], 0
    groups = groups_of(tasks, config.size)
    factory, reads = partial(make_synthesizer, config), partial(_sources_of, config)
    done = run_parallel(factory, groups, machine=machine, chunk=1, name=_names, reads=reads)
    for group, result in zip(groups, track(done, len(groups), "synthesize", "groups of photos"), strict=True):
        spent = [a + b for a, b in zip(spent, result.seconds, strict=True)]
        for task, person in zip(group, result.people, strict=True):
            count += len(task.files) if person else 0
            without_person += [] if person else [task.image]
    if without_person:
        shown = ", ".join(without_person[:5]) + (" …" if len(without_person) > 5 else "")
        say(
            f"synthesize: the matte of {len(without_person)} photos shows no person, so they get no copies: "
            f"{shown}"
        )
    say(throughput_line("synthesize", count, "pictures", time.monotonic() - started, spent))
    return without_person


def make_synthesizer(config: Config) -> Callable[[list[Task]], Result]:
    """Makes a worker's function, which draws and writes all copies of a group of photos."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    backgrounds = load_plugin("compose.backgrounds", config.backgrounds)
    sources, size = config.sources, config.size
    cutter = Cutter(sources.photos, sources.mattes, size, sources.background_rgb)

    def synthesize(tasks: list[Task]) -> Result:
        start = time.perf_counter()
        cutouts = [cutter.photo(task.image, task.square) for task in tasks]
        mattes = [cutter.matte(task.image, photo) for task, photo in zip(tasks, cutouts, strict=True)]
        read = time.perf_counter()
        visible = [shows_person(matte) for matte in mattes]
        parts = [part for part in zip(tasks, cutouts, mattes, visible, strict=True) if part[3]]
        people = [person_of(photo.crop, matte, photo.valid) for _, photo, matte, _ in parts]
        pairs = [(f, d, p) for p, (task, *_) in zip(people, parts, strict=True) for f, d in task.copies()]
        writing = 0.0
        for batch in groups_of(pairs, size):
            plates = [
                backgrounds.picture(sources, donor, size, generator(config.seed, "background", file))
                for file, donor, _ in batch
            ]
            pictures = [person.on(plate) for (*_, person), plate in zip(batch, plates, strict=True)]
            drawn = time.perf_counter()
            encoded = [encode_jpeg(picture) for picture in pictures]
            for (file, *_), data in zip(batch, encoded, strict=True):
                config.writer.write(file, data)
            writing += time.perf_counter() - drawn
        return Result((read - start, time.perf_counter() - read - writing, writing), visible)

    return synthesize


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
