"""Writes the matte of every photo: known ones come from the cache, worker processes compute the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.io.image_store import ImageWriter, matte_name
from pipeline.io.photo import decode_matte, encode_matte
from pipeline.io.result_cache import ResultCache
from pipeline.networks.indexed_photo import IndexedPhoto, batches_of, names_of, sources_of
from pipeline.params.machine import Machine
from pipeline.runtime.progress import track
from pipeline.segment.mattes import coverage
from pipeline.segment.methods import SegmentFn
from pipeline.workers.run import run_parallel

PHASES = ("decode", "network", "encode")
CHUNK = 8  # photos per task of a worker
STORE_EVERY = 256  # photos between writes to the cache, so that an interrupted run loses little
Background = tuple[int, int, int]
Seconds = tuple[float, ...]


@dataclass
class SegmentationResult:
    """Coverages of a set of photos, and the time they took.

    Attributes:
        coverage: mean of each matte, in [0, 1], by image.
        hits: photos with a cached matte.
        seconds: wall clock.
        worker_seconds: seconds of all workers together, in the order of `PHASES`.
    """

    coverage: dict[str, float] = field(default_factory=dict)
    hits: int = 0
    seconds: float = 0.0
    worker_seconds: list[float] = field(default_factory=lambda: [0.0] * len(PHASES))

    def line(self) -> str:
        """The summary line of the stage."""
        photos, total = len(self.coverage), max(sum(self.worker_seconds), 1e-9)
        parts = zip(PHASES, self.worker_seconds, strict=True)
        shares = ", ".join(f"{name} {part / total:.0%}" for name, part in parts)
        slowest = PHASES[int(np.argmax(self.worker_seconds))]
        bound = f", bound by {slowest} ({shares})" if any(self.worker_seconds) else ""
        rate = photos / max(self.seconds, 1e-9)
        return (
            f"{photos} photos: {self.hits} from the cache, {photos - self.hits} computed, "
            f"{rate:.1f} photos/s{bound}"
        )


def matte_photos(
    photos: Sequence[IndexedPhoto],
    prepare: Callable[[], int],
    create: Callable[[], SegmentFn],
    same: Callable[[], dict[str, Any]],
    cache: ResultCache,
    writer: ImageWriter,
    background: Background,
    machine: Machine,
) -> SegmentationResult:
    """Writes the matte of every photo.

    Args:
        photos: to segment.
        prepare: called once, only if a network is needed; returns photos per call.
        create: picklable; makes the segment function, in each worker.
        same: picklable; what of the identity a machine decides, as of `run_parallel`.
        cache: of mattes and their coverage.
        writer: takes the mattes.
        background: RGB behind transparent pixels.
        machine: the params section: engine and workers.

    Raises:
        UserError: a photo cannot be read, or is not the one that was indexed; names it.
    """
    start = time.monotonic()
    result = SegmentationResult()
    factory = partial(MatteWorker, create, background, cache, writer)
    with cache.turn():
        missing = _copy_cached(photos, cache, writer, result)
        if missing:
            _run_workers(batches_of(missing, prepare()), factory, same, cache, machine, result)
    result.coverage = {photo.image: result.coverage[photo.image] for photo in photos}
    cache.count(result.hits, len(missing))
    result.seconds = time.monotonic() - start
    return result


def _copy_cached(
    photos: Sequence[IndexedPhoto], cache: ResultCache, writer: ImageWriter, result: SegmentationResult
) -> list[IndexedPhoto]:
    """Writes the cached mattes; returns the photos without one."""
    entries, rows = cache.files(), cache.rows()
    missing: list[IndexedPhoto] = []
    for photo in track(photos, len(photos), "segment: cache"):
        entry = entries.get(photo.sha256)
        content = entry and cache.read(entry)
        if not content:
            missing.append(photo)
            continue
        name = matte_name(photo.image)
        writer.write(name, content)
        row = rows.get(photo.sha256)  # a killed run may have cached the matte but not its row
        share = row["coverage"] if row else coverage(decode_matte(content, name))
        result.coverage[photo.image] = share
        result.hits += 1
    return missing


def _run_workers(
    batches: list[list[IndexedPhoto]],
    factory: Callable[[], MatteWorker],
    same: Callable[[], dict[str, Any]],
    cache: ResultCache,
    machine: Machine,
    result: SegmentationResult,
) -> None:
    """Runs the workers; caches coverages as they come, also when the run is interrupted."""
    fresh: dict[str, dict[str, float]] = {}
    total = sum(map(len, batches))
    chunk = max(1, CHUNK // max(map(len, batches)))
    outputs = run_parallel(
        factory, batches, machine=machine, chunk=chunk, name=names_of, reads=sources_of, same=same
    )
    photos = (
        pair
        for batch, output in zip(batches, outputs, strict=True)
        for pair in _take_coverages(batch, output, result)
    )
    try:
        for photo, share in track(photos, total, "segment"):
            result.coverage[photo.image] = share
            fresh[photo.sha256] = {"coverage": share}
            if len(fresh) >= STORE_EVERY:
                cache.add_rows(fresh)
                fresh = {}
    finally:
        cache.add_rows(fresh)


def _take_coverages(
    batch: list[IndexedPhoto], output: tuple[list[float], Seconds], result: SegmentationResult
) -> zip[tuple[IndexedPhoto, float]]:
    """Pairs a batch with its coverages; adds its seconds to `result`."""
    shares, seconds = output
    result.worker_seconds = [a + b for a, b in zip(result.worker_seconds, seconds, strict=True)]
    return zip(batch, shares, strict=True)


class MatteWorker:
    """One worker: reads photos, runs the segmenter on them, writes the mattes."""

    def __init__(
        self, create: Callable[[], SegmentFn], background: Background, cache: ResultCache, writer: ImageWriter
    ) -> None:
        self.segment, self.background, self.cache, self.writer = create(), background, cache, writer

    def __call__(self, batch: list[IndexedPhoto]) -> tuple[list[float], Seconds]:
        """Coverage of each matte, and the seconds spent, in the order of `PHASES`."""
        times = [time.perf_counter()]
        photos = [photo.read(self.background) for photo in batch]
        times.append(time.perf_counter())
        alphas = self.segment(photos)
        times.append(time.perf_counter())
        for photo, alpha in zip(batch, alphas, strict=True):
            content = encode_matte(alpha)
            self.cache.add_file(photo.sha256, content, ".png")
            self.writer.write(matte_name(photo.image), content)
        times.append(time.perf_counter())
        return [coverage(alpha) for alpha in alphas], tuple(b - a for a, b in pairwise(times))
