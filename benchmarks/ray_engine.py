"""The engine `ray` against `local`, on the cores of this machine: `python -m benchmarks.ray_engine`.

Photos per second from the first result to the last, so that start-up, which is printed, does not count;
interleaved, the median of the rounds. `detect` is MTCNN, `compose` crops and blurs. `hand-over` is a worker
that does nothing: with a folder that it sees, and with 30 KB per photo through Ray's object store. Needs
`make setup EXTRAS=cluster`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.compose.composing import Config, Task, make_composer
from pipeline.compose.crop import whole_frame
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.detect.run import DetectWorker
from pipeline.io.atomic import write_json
from pipeline.io.image_store import ImageWriter
from pipeline.io.parcel import Source
from pipeline.io.photo import photo_header
from pipeline.io.result_cache import ResultCache
from pipeline.networks.indexed_photo import IndexedPhoto, batches_of
from pipeline.params.machine import Machine
from pipeline.params.preparation import Detect
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say
from pipeline.workers.cluster.connection import connect
from pipeline.workers.cluster.pool import Pool
from pipeline.workers.order import Work
from pipeline.workers.run import run_parallel

ENGINES = ("local", "ray")
LEAST = {"detect": 0.9, "compose": 0.9, "hand-over, folder": 20_000, "hand-over, 30 KB": 3_000}
REPORT = Path("reports/ray_engine.json")
PHOTO = bytes(30_000)


def rate(results: Iterator[Any], photos: list[int]) -> float:
    """Photos per second between the first result and the last; `photos`: of each result."""
    next(results)
    start = time.perf_counter()
    for _ in results:
        pass
    return sum(photos[1:]) / (time.perf_counter() - start)


def compared(make: Callable[[], Callable[[], Any]], items: list[Any], rounds: int) -> dict[str, float]:
    """Median photos per second by engine, and the ratio; an item is a list of photos."""
    found: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    for _ in range(rounds):
        for engine in ENGINES:
            done = run_parallel(make(), items, machine=Machine(engine=engine), chunk=1)
            found[engine].append(rate(done, [len(item) for item in items]))
    medians = {engine: statistics.median(rates) for engine, rates in found.items()}
    return medians | {"ratio": medians["ray"] / medians["local"]}


def nothing() -> Callable[[int], int]:
    """A worker that does nothing."""
    return lambda item: item


def sent(item: int) -> list[Source]:
    """30 KB, as a photo has."""
    return [Source(str(item), partial(bytes, PHOTO))]


def handed_over(count: int, away: bool) -> float:
    """Photos per second that go there and back."""
    machine = Machine(engine="ray")
    pool = Pool(connect(machine), Work(nothing, range(count), 32, str, sent), machine)
    if away:
        pool.order.site["files"].append(("/not/seen/by/anybody", 0))
    try:
        return rate(pool.results(), [1] * count)
    finally:
        pool.close()


def indexed(folder: Path, count: int) -> list[IndexedPhoto]:
    """Photos below a folder, repeated until there are `count`."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[:count]
    found = []
    for path in paths:
        header, sha256 = photo_header(path), hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(
            IndexedPhoto(path.relative_to(folder).as_posix(), path, sha256, header.width, header.height)
        )
    return (found * -(-count // len(found)))[:count]


def run(folder: Path, count: int, rounds: int) -> pd.DataFrame:
    """A row per measurement: `name, local, ray, ratio, least`."""
    load_plugin("detect.methods", "mtcnn").prepare(Detect(), Path())
    photos = indexed(folder, count)
    detect = partial(DetectWorker, Detect(), Path(), (255, 255, 255))
    rows = [{"name": "detect"} | compared(lambda: detect, batches_of(photos, 8), rounds)]
    with tempfile.TemporaryDirectory() as scratch:
        tasks = [
            Task(p.image, p.sha256, p.width, p.height, whole_frame(p.width, p.height)) for p in photos * 8
        ]

        def make() -> Callable[[], Any]:
            out = Path(tempfile.mkdtemp(dir=scratch))  # so that no picture is in the cache
            writer, cache = ImageWriter(out, 1000), ResultCache(out, "compose", {})
            return partial(make_composer, Config(Cutter(folder, None, 160), writer, cache, "keep", 0))

        rows.append({"name": "compose"} | compared(make, groups_of(tasks, 160), rounds))
    rows += [
        {"name": "hand-over, folder", "ray": handed_over(100_000, away=False)},
        {"name": "hand-over, 30 KB", "ray": handed_over(6_000, away=True)},
    ]
    table = pd.DataFrame(rows)
    table["least"] = table["name"].map(LEAST)
    return table


def main() -> None:
    """Prints the table and writes it to reports/."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    place = os.environ.get("CLEANPLATE_TEST_DATA")
    default = Path(place) / "realset/train/images" if place else Path("demo/data/train/images")
    parser.add_argument("--folder", type=Path, default=default)
    given = parser.parse_args()
    table = run(given.folder, given.photos, given.rounds)
    say(table.to_string(index=False, float_format=lambda v: f"{v:.2f}"))
    REPORT.parent.mkdir(exist_ok=True)
    rows = [row.dropna().to_dict() for _, row in table.iterrows()]
    write_json(REPORT, rows)


if __name__ == "__main__":
    main()
