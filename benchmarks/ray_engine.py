"""The engine `ray` against `local`, on the cores of this machine.

    python -m benchmarks.ray_engine PHOTO_FOLDER… [--photos 480] [--rounds 3]

Photos per second from the first result to the last, so that start-up does not count; interleaved, the median
of the rounds. `detect` is MTCNN, `compose` scales whole photos to 160 px and keeps their backgrounds.
`hand-over` is a worker that does nothing, against the photos per second that it has to reach: with a folder
that it sees, and with 30 KB per photo through Ray's object store. Needs `make setup EXTRAS=cluster`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.detect_mtcnn import evenly
from benchmarks.interleave import Row, table
from pipeline.compose.composing import Config, Task, make_composer
from pipeline.compose.crop import whole_frame
from pipeline.compose.cutout import Cutter, groups_of
from pipeline.detect.run import DetectWorker
from pipeline.io.image_store import ImageWriter
from pipeline.io.parcel import Source
from pipeline.io.photo import photo_header
from pipeline.io.photo_store import PhotoFile, PhotoStore
from pipeline.io.result_cache import ResultCache
from pipeline.networks.indexed_photo import IndexedPhoto, batches_of
from pipeline.params.machine import Machine
from pipeline.params.preparation import Detect
from pipeline.runtime.plugins import load_plugin
from pipeline.workers.cluster.connection import connect
from pipeline.workers.cluster.pool import Pool
from pipeline.workers.order import Work
from pipeline.workers.run import run_parallel

ENGINES = ("local", "ray")
AIM = 0.9  # of local
LEAST = {"folder": 20_000, "30 KB": 3_000}  # photos/s, of the hand-over
PHOTO = bytes(30_000)


def rate(results: Iterator[Any], photos: list[int]) -> float:
    """Photos per second between the first result and the last; `photos`: of each result."""
    next(results)
    start = time.perf_counter()
    for _ in results:
        pass
    return sum(photos[1:]) / (time.perf_counter() - start)


def compared(name: str, make: Callable[[], Callable[[], Any]], items: list[Any], rounds: int) -> Row:
    """The median of each engine; an item is a list of photos."""
    found: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    for _ in range(rounds):
        for engine in ENGINES:
            done = run_parallel(make(), items, machine=Machine(engine=engine), chunk=1)
            found[engine].append(rate(done, [len(item) for item in items]))
    local, ray = (statistics.median(found[engine]) for engine in ENGINES)
    return row(f"ray, {name}, against local", local, ray, AIM)


def row(name: str, baseline: float, ours: float, target: float) -> Row:
    """A row of the table; whether results agree is for the tests to say."""
    ratio = ours / baseline
    return Row(
        name=name,
        baseline=baseline,
        ours=ours,
        ratio=ratio,
        ratio_cpu=None,
        agreement=None,
        target=target,
        limit=None,
        met=ratio >= target,
    )


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
        pool.order.site.facts["files"].append(("/not/seen/by/anybody", 0))
    try:
        return rate(pool.results(), [1] * count)
    finally:
        pool.close()


def indexed(paths: list[Path], count: int) -> list[IndexedPhoto]:
    """Photos by their paths from `/`, repeated until there are `count`."""
    found = []
    for path in (p.absolute() for p in evenly(paths, count)):
        header, sha256 = photo_header(path), hashlib.sha256(path.read_bytes()).hexdigest()
        image = path.relative_to("/").as_posix()
        found.append(IndexedPhoto(image, PhotoFile(str(path)), sha256, header.width, header.height))
    return (found * -(-count // len(found)))[:count]


def run(paths: list[Path], count: int = 480, rounds: int = 3) -> dict[str, Any]:
    """Four rows.

    Args:
        paths: photos to choose from, evenly picked.
        count: photos of `detect`; `compose` has eight times as many.
        rounds: turns that each engine takes.
    """
    load_plugin("detect.methods", "mtcnn").prepare(Detect(), Path())
    photos = indexed(paths, count)
    detect = partial(DetectWorker, Detect(), Path(), (255, 255, 255))
    rows = [compared("detect", lambda: detect, batches_of(photos, 8), rounds)]
    with tempfile.TemporaryDirectory() as scratch:
        tasks = [
            Task(p.image, p.sha256, p.width, p.height, whole_frame(p.width, p.height)) for p in photos * 8
        ]

        def make() -> Callable[[], Any]:
            out = Path(tempfile.mkdtemp(dir=scratch))  # so that no picture is in the cache
            writer, cache = ImageWriter(out, 1000), ResultCache(out, "compose", {})
            cutter = Cutter(PhotoStore(Path("/")), None, 160)
            return partial(make_composer, Config(cutter, writer, cache, "keep", 0))

        rows.append(compared("compose", make, groups_of(tasks, 160), rounds))
    handed = {"folder": handed_over(100_000, away=False), "30 KB": handed_over(6_000, away=True)}
    rows += [row(f"ray, hand-over, {name}", LEAST[name], found, 1.0) for name, found in handed.items()]
    return {"photos": count, "rounds": rounds, "rows": rows}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ray_engine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--photos", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    paths = sorted(p for folder in given.folders for p in folder.rglob("*.jpg"))
    result = run(paths, given.photos, given.rounds)
    print(table(result["rows"]))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
