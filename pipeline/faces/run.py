"""Runs a face network over photos: known answers come from the cache, worker processes compute the rest."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.faces.numbers import Face, FaceNumbers, from_row, to_row
from pipeline.io.parcel import Source
from pipeline.io.result_cache import ResultCache, Row
from pipeline.networks.indexed_photo import IndexedPhoto, names_of, sources_of
from pipeline.params.machine import Machine
from pipeline.params.preparation import Faces
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import track
from pipeline.workers.run import run_parallel

BATCH = 8  # photos per task of a worker
STORE_EVERY = 256  # photos between writes to the cache, so that an interrupted run loses little
Background = tuple[int, int, int]


@dataclass(frozen=True)
class FaceTask:
    """A photo, and where its face is: `Face`'s box and landmarks, flat; () = no landmarks."""

    photo: IndexedPhoto
    box: tuple[float, ...]
    landmarks: tuple[float, ...] = ()

    @functools.cached_property
    def key(self) -> str:
        """Of the cache: what the network sees depends on the photo's bytes, its box and its landmarks."""
        place = np.array([*self.box, *self.landmarks], dtype="<f4").tobytes()
        return hashlib.sha256(bytes.fromhex(self.photo.sha256) + place).hexdigest()

    def read(self, background: Background) -> Face:
        """The face with its photo's pixels; raises as `IndexedPhoto.read`."""
        points = np.array(self.landmarks, dtype=np.float32).reshape(-1, 2) if self.landmarks else None
        return Face(self.photo.read(background), np.array(self.box, dtype=np.float32), points)


@dataclass
class LookResult:
    """What one network said about a set of photos, and the time that took.

    Attributes:
        engine: what runs the network, e.g. "dlib on dlib f32".
        numbers: of each task, in order.
        hits: photos with a cached answer.
        seconds: wall clock.
        worker_seconds: seconds of all workers together, by phase.
    """

    engine: str = ""
    numbers: list[FaceNumbers] = field(default_factory=list)
    hits: int = 0
    seconds: float = 0.0
    worker_seconds: dict[str, float] = field(default_factory=dict)

    def line(self) -> str:
        """The summary line of the stage."""
        photos, total = len(self.numbers), max(sum(self.worker_seconds.values()), 1e-9)
        shares = ", ".join(f"{name} {part / total:.0%}" for name, part in self.worker_seconds.items())
        slowest = max(self.worker_seconds, key=self.worker_seconds.__getitem__, default="")
        bound = f", bound by {slowest} ({shares})" if shares else ""
        rate = photos / max(self.seconds, 1e-9)
        return (
            f"{self.engine}: {photos} photos, {self.hits} from the cache, {photos - self.hits} computed, "
            f"{rate:.1f} photos/s{bound}"
        )


def look_at_faces(
    tasks: Sequence[FaceTask],
    network: str,
    faces: Faces,
    root: Path,
    cache_folder: Path,
    machine: Machine,
    background: Background,
) -> LookResult:
    """The numbers of one network for every face, from the result cache where it can.

    Args:
        network: a file in pipeline/faces/methods/.
        faces: the params section.
        root: the folder with `.cache`.
        cache_folder: of the result cache.
        machine: the params section: engine and workers.
        background: RGB put behind transparent pixels.

    Raises:
        UserError: weights or a photo cannot be read, or a photo is not the one that was indexed.
    """
    start = time.monotonic()
    module = load_plugin("faces.methods", network)
    identity = module.identity(faces, root)
    cache = ResultCache(
        cache_folder, "faces", {"network": network, "background": list(background), **identity}
    )
    result = LookResult(engine=f"{network} on {identity['backend']} {identity['precision']}")
    with cache.turn():
        rows = cache.rows()
        missing = list({task.key: task for task in tasks if task.key not in rows}.values())
        result.hits = sum(task.key in rows for task in tasks)
        if missing:
            module.prepare(faces, root)
            same = functools.partial(module.identity, faces, root)
            factory = functools.partial(FaceWorker, network, faces, root, background)
            rows |= _run_workers(missing, factory, same, machine, cache, result.worker_seconds)
    cache.count(result.hits, len(tasks) - result.hits)
    result.numbers = [from_row(rows[task.key]) for task in tasks]
    result.seconds = time.monotonic() - start
    return result


def _run_workers(
    tasks: list[FaceTask],
    factory: Any,
    same: Callable[[], dict[str, Any]],
    machine: Machine,
    cache: ResultCache,
    worker_seconds: dict[str, float],
) -> dict[str, Row]:
    """Rows by key; caches them as they come, also when the run is interrupted."""
    batches = [tasks[start : start + BATCH] for start in range(0, len(tasks), BATCH)]
    outputs = run_parallel(
        factory, batches, machine=machine, chunk=1, name=_names_of, reads=_sources_of, same=same
    )
    done: dict[str, Row] = {}
    fresh: dict[str, Row] = {}
    try:
        for key, row in track(_rows_of(outputs, worker_seconds), len(tasks), "faces"):
            done[key] = fresh[key] = row
            if len(fresh) >= STORE_EVERY:
                cache.add_rows(fresh)
                fresh.clear()
    finally:
        cache.add_rows(fresh)
    return done


def _rows_of(
    outputs: Iterator[tuple[list[tuple[str, Row]], dict[str, float]]], worker_seconds: dict[str, float]
) -> Iterator[tuple[str, Row]]:
    """The rows of all workers; adds their seconds to `worker_seconds`."""
    for rows, seconds in outputs:
        for name, part in seconds.items():
            worker_seconds[name] = worker_seconds.get(name, 0.0) + part
        yield from rows


def _names_of(batch: Sequence[FaceTask]) -> str:
    return names_of([task.photo for task in batch])


def _sources_of(batch: Sequence[FaceTask]) -> list[Source]:
    return sources_of([task.photo for task in batch])


class FaceWorker:
    """One worker: reads photos and runs the network on their faces."""

    def __init__(self, network: str, faces: Faces, root: Path, background: Background) -> None:
        self.background = background
        self.look = load_plugin("faces.methods", network).create(faces, root)

    def __call__(self, batch: list[FaceTask]) -> tuple[list[tuple[str, Row]], dict[str, float]]:
        """Rows by key, and the seconds spent on decoding and in the network."""
        start = time.perf_counter()
        faces = [task.read(self.background) for task in batch]
        decoded = time.perf_counter()
        rows = [(task.key, to_row(numbers)) for task, numbers in zip(batch, self.look(faces), strict=True)]
        return rows, {"decode": decoded - start, "network": time.perf_counter() - decoded}
