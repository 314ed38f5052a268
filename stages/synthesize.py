"""Extra training pictures: each person once more, on other backgrounds.

Reads the raw photos, the squares in build/images/images.parquet, build/mattes/, labels and folds; writes
build/synthetic/ (JPEG and synthetic.parquet). Only photos that are trained on get copies; a copy has its
photo's person, fold and training target. Background photos of the set come from the same fold and another
person, so whichever fold validates, no pixel of it reaches training.
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
from pipeline.io.photo import encode_jpeg
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, throughput_line, track
from pipeline.seeds import generator, seed_of
from pipeline.workers import run_parallel
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
    """What is the same for all pictures."""

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
    """What a worker tells of the copies of some photos."""

    seconds: tuple[float, float, float]  # reading, computing, writing
    people: list[bool]  # False: the photo's matte shows nobody, so nothing was written


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
        workers=stage.params.machine.workers,
    )
    people = trained_people()
    choose = load_plugin("compose.backgrounds", synthesize.backgrounds).chooser(sources, candidates(people))
    photos = stage.first(people[people["train_class"] >= 0].reset_index(drop=True))
    count = copies_per_photo(photos, synthesize.copies, synthesize.balance, synthesize.seed)
    jobs, table = planned(photos, count, choose, synthesize.seed)
    with atomic_images(stage.out(SYNTHETIC.path), stage.params.data.shards) as writer:
        recipe = Config(sources, synthesize.backgrounds, writer, size, synthesize.seed)
        begun = time.monotonic()
        nobody = written(recipe, jobs, stage.params.machine.workers)
        stage.measured(time.monotonic() - begun, len(table))
        made = table[~table["image"].isin(nobody)].reset_index(drop=True)
        COPIES.write(writer.folder / COPIES.path.name, made)


def trained_people() -> pd.DataFrame:
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
    """Each labelled photo as somebody else's background."""
    columns = (people[c].tolist() for c in ("image", "person", "fold"))
    return [Candidate(*row) for row in zip(*columns, strict=True)]


def planned(
    photos: pd.DataFrame, count: np.ndarray, choose: ChooseFn, seed: int
) -> tuple[list[Task], pd.DataFrame]:
    """The jobs, one per photo with copies, and the rows of synthetic.parquet, in the order of `photos`."""
    jobs: list[Task] = []
    rows: list[tuple[str, str, str, int, str, int]] = []
    columns = ("image", "person", "fold", "train_class", "x1", "y1", "x2", "y2")
    for copies, image, person, fold, target, *square in zip(
        count.tolist(), *(photos[c].tolist() for c in columns), strict=True
    ):
        stem = PurePosixPath(image).with_suffix("").as_posix()
        files = [f"{stem}__{k}.jpg" for k in range(copies)]
        me = Candidate(image, person, fold)
        donors = [choose(me, seed_of(seed, "donor", image, k)) for k in range(copies)]
        rows += [
            (file, image, person, fold, donor, target) for file, donor in zip(files, donors, strict=True)
        ]
        if copies:
            jobs.append(Task(image, Square(*square), files, donors))
    return jobs, pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def written(recipe: Config, jobs: list[Task], workers: int | None) -> list[str]:
    """Draws and writes all pictures; returns the photos that got none because their matte shows nobody."""
    started, spent, nobody, count = time.monotonic(), [0.0, 0.0, 0.0], [], 0
    groups = groups_of(jobs, recipe.size)
    done = run_parallel(partial(synthesizer, recipe), groups, workers=workers, chunk=1, name=_names)
    for group, made in zip(groups, track(done, len(groups), "synthesize", "groups of photos"), strict=True):
        spent = [a + b for a, b in zip(spent, made.seconds, strict=True)]
        for job, person in zip(group, made.people, strict=True):
            count += len(job.files) if person else 0
            nobody += [] if person else [job.image]
    if nobody:
        some = ", ".join(nobody[:5]) + (" …" if len(nobody) > 5 else "")
        say(f"synthesize: the matte of {len(nobody)} photos shows no person, so they get no copies: {some}")
    say(throughput_line("synthesize", count, "pictures", time.monotonic() - started, spent))
    return nobody


def synthesizer(recipe: Config) -> Callable[[list[Task]], Result]:
    """Makes the function that draws and writes all copies of some photos, step by step for all of them."""
    cv2.setNumThreads(1)  # the processes share the CPUs
    backgrounds = load_plugin("compose.backgrounds", recipe.backgrounds)
    sources, size = recipe.sources, recipe.size
    cutter = Cutter(sources.photos, sources.mattes, size, sources.background_rgb)

    def synthesize(jobs: list[Task]) -> Result:
        start = time.perf_counter()
        seen = [cutter.photo(job.image, job.square) for job in jobs]
        mattes = [cutter.matte(job.image, photo) for job, photo in zip(jobs, seen, strict=True)]
        read = time.perf_counter()
        shown = [shows_person(matte) for matte in mattes]
        parts = [part for part in zip(jobs, seen, mattes, shown, strict=True) if part[3]]
        people = [person_of(photo.crop, matte, photo.valid) for _, photo, matte, _ in parts]
        pairs = [(f, d, p) for p, (job, *_) in zip(people, parts, strict=True) for f, d in job.copies()]
        writing = 0.0
        for some in groups_of(pairs, size):
            plates = [
                backgrounds.picture(sources, donor, size, generator(recipe.seed, "background", file))
                for file, donor, _ in some
            ]
            pictures = [person.on(plate) for (*_, person), plate in zip(some, plates, strict=True)]
            drawn = time.perf_counter()
            encoded = [encode_jpeg(picture) for picture in pictures]
            for (file, *_), data in zip(some, encoded, strict=True):
                recipe.writer.write(file, data)
            writing += time.perf_counter() - drawn
        return Result((read - start, time.perf_counter() - read - writing, writing), shown)

    return synthesize


def _names(jobs: list[Task]) -> str:
    return ", ".join(job.image for job in jobs)


if __name__ == "__main__":
    stage_command("synthesize", run, __doc__ or "")
