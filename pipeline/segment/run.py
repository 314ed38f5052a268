"""The pass that gives every photo its matte: what is known comes from the cache, the rest from workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np

from pipeline.io.image_store import ImageWriter, matte_name
from pipeline.io.photo import decode_matte, encode_matte
from pipeline.networks.indexed_photo import IndexedPhoto, batches_of, names_of
from pipeline.networks.result_cache import ResultCache
from pipeline.runtime.progress import track
from pipeline.segment.mattes import coverage
from pipeline.segment.methods import Look
from pipeline.workers import run_parallel

PARTS = ("decode", "network", "encode")
CHUNK = 8  # photos handed to a worker at a time
STORE_EVERY = 256  # photos after which their coverage is kept, so that a run that is ended loses little
Background = tuple[int, int, int]
Seconds = tuple[float, ...]


@dataclass
class SegmentationResult:
    """What a pass over photos gave and cost.

    Attributes:
        coverage: share of each photo that its matte keeps, in [0, 1], by image.
        hits: photos whose matte was in the cache.
        seconds: wall clock.
        spent: seconds of all workers together, as in `PARTS`.
    """

    coverage: dict[str, float] = field(default_factory=dict)
    hits: int = 0
    seconds: float = 0.0
    spent: list[float] = field(default_factory=lambda: [0.0] * len(PARTS))

    def line(self) -> str:
        """The sentence that the stage ends with."""
        photos, total = len(self.coverage), max(sum(self.spent), 1e-9)
        shares = ", ".join(f"{name} {part / total:.0%}" for name, part in zip(PARTS, self.spent, strict=True))
        bound = f", bound by {PARTS[int(np.argmax(self.spent))]} ({shares})" if any(self.spent) else ""
        rate = photos / max(self.seconds, 1e-9)
        return (
            f"{photos} photos: {self.hits} from the cache, {photos - self.hits} computed, "
            f"{rate:.1f} photos/s{bound}"
        )


def matte_photos(
    photos: Sequence[IndexedPhoto],
    prepare: Callable[[], int],
    create: Callable[[], Look],
    cache: ResultCache,
    writer: ImageWriter,
    background: Background,
    workers: int | None = None,
) -> SegmentationResult:
    """Writes the matte of every photo.

    Args:
        photos: whose mattes are wanted.
        prepare: called once, only if a network is needed; returns photos per call of the function.
        create: picklable; makes the function that looks at photos, in each worker.
        cache: where mattes are kept, with their coverage, between runs.
        writer: takes the mattes.
        background: RGB behind transparent pixels.
        workers: processes; None = one per usable CPU.

    Raises:
        UserError: a photo cannot be read, or is not the one that was indexed; names it.
    """
    start = time.monotonic()
    result = SegmentationResult()
    missing = _take_known(photos, cache, writer, result)
    if missing:
        batches = batches_of(missing, prepare())
        _compute(batches, partial(MatteWorker, create, background, cache, writer), cache, workers, result)
    result.coverage = {photo.image: result.coverage[photo.image] for photo in photos}
    cache.count(result.hits, len(missing))
    result.seconds = time.monotonic() - start
    return result


def _take_known(
    photos: Sequence[IndexedPhoto], cache: ResultCache, writer: ImageWriter, result: SegmentationResult
) -> list[IndexedPhoto]:
    """Writes the mattes that are in the cache; returns the photos that are left."""
    entries, rows = cache.files(), cache.rows()
    missing: list[IndexedPhoto] = []
    for photo in track(photos, len(photos), "segment: cache"):
        entry = entries.get(photo.sha256)
        content = entry and cache.read(entry)
        if not content:
            missing.append(photo)
            continue
        name = matte_name(photo.image)
        writer.write(name, content, entry)
        row = rows.get(photo.sha256)  # a run that was killed may have kept the matte but not its row
        share = row["coverage"] if row else coverage(decode_matte(content, name))
        result.coverage[photo.image] = share
        result.hits += 1
    return missing


def _compute(
    batches: list[list[IndexedPhoto]],
    factory: Callable[[], MatteWorker],
    cache: ResultCache,
    workers: int | None,
    result: SegmentationResult,
) -> None:
    """Runs the workers; keeps the coverages as they come, also when the run is ended."""
    fresh: dict[str, dict[str, float]] = {}
    total = sum(map(len, batches))
    chunk = max(1, CHUNK // max(map(len, batches)))
    answers = run_parallel(factory, batches, workers=workers, chunk=chunk, name=names_of)
    photos = (
        pair for batch, answer in zip(batches, answers, strict=True) for pair in _each(batch, answer, result)
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


def _each(
    batch: list[IndexedPhoto], answer: tuple[list[float], Seconds], result: SegmentationResult
) -> zip[tuple[IndexedPhoto, float]]:
    shares, seconds = answer
    result.spent = [a + b for a, b in zip(result.spent, seconds, strict=True)]
    return zip(batch, shares, strict=True)


class MatteWorker:
    """One worker: reads photos, lets the segmenter look at them, writes the mattes."""

    def __init__(
        self, create: Callable[[], Look], background: Background, cache: ResultCache, writer: ImageWriter
    ) -> None:
        self.look, self.background, self.cache, self.writer = create(), background, cache, writer

    def __call__(self, batch: list[IndexedPhoto]) -> tuple[list[float], Seconds]:
        """Coverage of each matte, and the seconds spent as in `PARTS`."""
        times = [time.perf_counter()]
        photos = [photo.read(self.background) for photo in batch]
        times.append(time.perf_counter())
        alphas = self.look(photos)
        times.append(time.perf_counter())
        for photo, alpha in zip(batch, alphas, strict=True):
            content = encode_matte(alpha)
            entry = self.cache.add_file(photo.sha256, content, ".png")
            self.writer.write(matte_name(photo.image), content, entry)
        times.append(time.perf_counter())
        return [coverage(alpha) for alpha in alphas], tuple(b - a for a, b in pairwise(times))
