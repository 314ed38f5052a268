"""A million photos through `dvc repro`: drawn, 64 x 64, in tar shards of a thousand.

    python -m benchmarks.million OUT [--photos 1000000] [--keep]

Draws the set below OUT, then in a clone of this checkout's last commit runs ingest, relabel, split, detect
(`none`) and compose (64 px), then all of it once more with nothing to do, and once more with one label
corrected. Each row has seconds, the stages that ran by their own clocks, and the peak of memory of all
processes together. There is no baseline: the aims are 20 minutes, 2 GB, 20 s, and label stages only.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.checkout import Checkout
from benchmarks.watch import watched
from benchmarks.whole_set import DONE
from pipeline.io.atomic import write_json
from pipeline.io.photo import encode_jpeg
from pipeline.io.tar_shards import write_tar
from pipeline.labels import GENDERS, MASKS
from pipeline.params.machine import Machine
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import say, track
from pipeline.seeds import generator
from pipeline.workers.run import run_parallel

REPORT = Path("reports/million.json")
SIDE = 64  # pixels
PER_SHARD = 1000
PHOTOS_OF_A_PERSON = 7  # as in the competition's set
PARAMS = {
    "data.layout": "shards",
    "detect.method": "none",
    "synthesize.copies": 0,
    "segment.method": "none",
    "compose.size": SIDE,
}


def draw_set(folder: Path, photos: int) -> None:
    """Shards of drawn photos with their labels; the same photos each time."""
    folder.mkdir(parents=True)
    starts = range(0, photos, PER_SHARD)
    drawn = run_parallel(partial(make_drawer, folder, photos), starts, machine=Machine(), chunk=1)
    for _ in track(drawn, len(starts), "drawing", "shards"):
        pass


def make_drawer(folder: Path, photos: int) -> Callable[[int], None]:
    """Makes a worker's function, which draws the shard that begins with a photo of this number."""

    def content(name: str) -> bytes:
        key, _, suffix = name.partition(".")
        return picture_of(int(key)) if suffix == "jpg" else json.dumps(labels_of(int(key))).encode()

    def draw(start: int) -> None:
        keys = [f"{number:09d}" for number in range(start, min(start + PER_SHARD, photos))]
        names = [f"{key}.{suffix}" for key in keys for suffix in ("jpg", "json")]
        with (folder / f"{start // PER_SHARD:05d}.tar").open("wb") as f:
            write_tar(f, names, content)

    return draw


def picture_of(number: int) -> bytes:
    """A JPEG of soft colours."""
    coarse = generator(0, "million", number).integers(0, 256, (4, 4, 3), np.uint8)
    return encode_jpeg(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def labels_of(number: int) -> dict[str, Any]:
    """Labels as img2dataset writes them beside a picture, person by person."""
    person = number // PHOTOS_OF_A_PERSON
    return {
        "person": f"p{person:07d}",
        "gender": GENDERS[person % 2],
        "age": 18 + person % 53,
        "mask": MASKS[number % 3],
        "key": f"{number:09d}",
        "status": "success",
        "width": SIDE,
        "height": SIDE,
    }


def run(place: Path, photos: int) -> dict[str, Any]:
    """The rows, in order.

    Args:
        place: an empty folder, for the set and the clone.
        photos: how many.
    """
    begun = time.perf_counter()
    draw_set(place / "set", photos)
    say(f"million: {photos} photos drawn in {time.perf_counter() - begun:.0f} s")
    checkout = Checkout(place, place / "set")
    for name, value in PARAMS.items():
        checkout.set(name, value)
    steps: dict[str, Callable[[], Any]] = {
        "first run": lambda: None,
        "nothing changed": lambda: None,
        "one label corrected": partial(correct_label, checkout),
    }
    rows: dict[str, Any] = {}
    for name, change in steps.items():
        change()
        with watched() as seen:
            said = checkout.run("dvc", "repro", "split", "compose")
        stages = {stage: float(seconds) for stage, seconds in DONE.findall(said)}
        rows[name] = {"seconds": seen.seconds, "stages": stages, "gigabytes": seen.peak_bytes / 1e9}
        say(line_of(name, rows[name]))
    return {"photos": photos, "cpus": worker_count(None), "rows": rows}


def correct_label(checkout: Checkout) -> None:
    """A row of data/corrections.csv: the age of the first person."""
    person, age = labels_of(0)["person"], labels_of(0)["age"]
    with (checkout.root / "data/corrections.csv").open("a", encoding="utf-8") as f:
        f.write(f"{person},,age,{age},{age + 20},benchmark,benchmark\n")


def line_of(name: str, row: dict[str, Any]) -> str:
    """A row as text."""
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in row["stages"].items()) or "nothing ran"
    return f"{name:20} {row['seconds']:7.1f} s, {row['gigabytes']:.2f} GB of memory: {stages}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true", help="leave OUT there, to look at")
    given = parser.parse_args()
    try:
        given.out.mkdir(parents=True)
    except FileExistsError:
        parser.error(f"{given.out} exists already; name a new folder, or remove it")
    try:
        report = run(given.out.absolute(), given.photos)
    finally:
        if not given.keep:
            shutil.rmtree(given.out)
    write_json(REPORT, report)


if __name__ == "__main__":
    main()
