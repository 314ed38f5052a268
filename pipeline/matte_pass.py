"""The pass that gives every photo its matte: what is known comes from the cache, the rest from workers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.item_cache import ItemCache
from pipeline.mattes import coverage
from pipeline.photo import PhotoError, decode_photo, encode_matte, read_matte
from pipeline.progress import track
from pipeline.segmenters import Look
from pipeline.workers import run_parallel

PARTS = ("decode", "network", "encode")
CHUNK = 8  # photos handed to a worker at a time
STORE_EVERY = 256  # photos after which their coverage is kept, so that a run that is ended loses little
FIX = "run `dvc repro ingest`: it indexes the photos anew and sets unusable ones aside"
Background = tuple[int, int, int]
Seconds = tuple[float, ...]


@dataclass(frozen=True)
class Order:
    """A photo to matte: its name, file and checksum, its upright size, and where the matte goes."""

    image: str
    photo: Path
    sha256: str
    width: int
    height: int
    matte: Path


@dataclass
class Pass:
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


def matte_name(image: str) -> str:
    """Where the matte of `image` lies below build/mattes: the same name with the suffix .png."""
    return Path(image).with_suffix(".png").as_posix()


def matte_photos(
    orders: Sequence[Order],
    prepare: Callable[[], int],
    create: Callable[[], Look],
    cache: ItemCache,
    background: Background,
    workers: int | None = None,
) -> Pass:
    """Writes the matte of every photo.

    Args:
        orders: what to do.
        prepare: called once, only if a network is needed; returns photos per call of the function.
        create: picklable; makes the function that looks at photos, in each worker.
        cache: where mattes are kept, with their coverage, between runs.
        background: RGB behind transparent pixels.
        workers: processes; None = one per usable CPU.

    Raises:
        UserError: a photo cannot be read, or is not the one that was indexed; names it.
    """
    start = time.monotonic()
    result = Pass()
    for folder in sorted({order.matte.parent for order in orders}):
        folder.mkdir(parents=True, exist_ok=True)
    missing = _link_known(orders, cache, result)
    if missing:
        batches = batches_of(missing, prepare())
        _compute(batches, partial(Matter, create, background, cache), cache, workers, result)
    result.coverage = {order.image: result.coverage[order.image] for order in orders}
    cache.count(result.hits, len(missing))
    result.seconds = time.monotonic() - start
    return result


def _link_known(orders: Sequence[Order], cache: ItemCache, result: Pass) -> list[Order]:
    """Puts the mattes that are in the cache where they go; returns the orders that are left."""
    entries, rows = cache.files(), cache.rows()
    missing: list[Order] = []
    for order in track(orders, len(orders), "segment: cache"):
        entry = entries.get(order.sha256)
        if entry is None or not cache.link(entry, order.matte):
            missing.append(order)
            continue
        row = rows.get(order.sha256)  # a run that was killed may have kept the matte but not its row
        result.coverage[order.image] = row["coverage"] if row else coverage(read_matte(order.matte))
        result.hits += 1
    return missing


def batches_of(orders: Sequence[Order], size: int) -> list[list[Order]]:
    """Groups of at most `size` photos of one shape, in a fixed order: networks are specialised by shape."""
    batches: list[list[Order]] = []
    for order in sorted(orders, key=lambda o: (o.height, o.width, o.image)):
        last = batches[-1] if batches else []
        if last and len(last) < size and (last[0].height, last[0].width) == (order.height, order.width):
            last.append(order)
        else:
            batches.append([order])
    return batches


def _compute(
    batches: list[list[Order]],
    factory: Callable[[], Matter],
    cache: ItemCache,
    workers: int | None,
    result: Pass,
) -> None:
    """Runs the workers; keeps the coverages as they come, also when the run is ended."""
    fresh: dict[str, dict[str, float]] = {}
    total = sum(map(len, batches))
    chunk = max(1, CHUNK // max(map(len, batches)))
    answers = run_parallel(factory, batches, workers=workers, chunk=chunk, name=_names)
    photos = (
        pair for batch, answer in zip(batches, answers, strict=True) for pair in _each(batch, answer, result)
    )
    try:
        for order, share in track(photos, total, "segment"):
            result.coverage[order.image] = share
            fresh[order.sha256] = {"coverage": share}
            if len(fresh) >= STORE_EVERY:
                cache.add_rows(fresh)
                fresh = {}
    finally:
        cache.add_rows(fresh)


def _each(batch: list[Order], answer: tuple[list[float], Seconds], result: Pass) -> zip[tuple[Order, float]]:
    shares, seconds = answer
    result.spent = [a + b for a, b in zip(result.spent, seconds, strict=True)]
    return zip(batch, shares, strict=True)


def _names(batch: list[Order]) -> str:
    return ", ".join(order.image for order in batch)


class Matter:
    """One worker: reads photos, lets the segmenter look at them, writes the mattes."""

    def __init__(self, create: Callable[[], Look], background: Background, cache: ItemCache) -> None:
        self.look, self.background, self.cache = create(), background, cache

    def __call__(self, batch: list[Order]) -> tuple[list[float], Seconds]:
        """Coverage of each matte, and the seconds spent as in `PARTS`."""
        times = [time.perf_counter()]
        photos = [self._read(order) for order in batch]
        times.append(time.perf_counter())
        alphas = self.look(photos)
        times.append(time.perf_counter())
        for order, alpha in zip(batch, alphas, strict=True):
            self._write(order, alpha)
        times.append(time.perf_counter())
        return [coverage(alpha) for alpha in alphas], tuple(b - a for a, b in pairwise(times))

    def _read(self, order: Order) -> np.ndarray:
        """uint8 [H, W, 3], RGB, upright, of the photo that was indexed."""
        try:
            data = order.photo.read_bytes()
            if hashlib.sha256(data).hexdigest() != order.sha256:
                raise UserError("a photo is not the one that was indexed", where=order.photo, fix=FIX)
            return decode_photo(data, self.background, where=str(order.photo))
        except OSError as e:
            raise UserError(
                "an indexed photo cannot be read", where=order.photo, got=e.strerror, fix=FIX
            ) from e
        except PhotoError as e:
            raise UserError(
                "an indexed photo cannot be decoded", where=order.photo, got=str(e), fix=FIX
            ) from e

    def _write(self, order: Order, alpha: np.ndarray) -> None:
        content = encode_matte(alpha)
        entry = self.cache.add_file(order.sha256, content, ".png")
        if not self.cache.link(entry, order.matte):  # another process pruned it in between
            order.matte.write_bytes(content)
