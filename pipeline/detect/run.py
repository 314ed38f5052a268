"""The pass of a detector over photos: the result cache gives what is known, worker processes the rest."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect.boxes import Detection
from pipeline.networks.backends import engine_of, has_cuda
from pipeline.networks.indexed_photo import IndexedPhoto, batches_of, names_of
from pipeline.networks.result_cache import ResultCache, Row
from pipeline.params.schema import Detect
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import track
from pipeline.workers import run_parallel

CPU_BATCH = 8  # photos handed over at a time
CUDA_BATCH = 32
STORE_EVERY = 256  # photos after which results are kept, so that a run that is ended loses little


@dataclass
class DetectionResult:
    """What a pass over photos gave and cost.

    Attributes:
        asked: whether the method looks at photos at all.
        engine: what runs the network, e.g. "mtcnn on openvino f32".
        found: by the photo's sha256; None where nothing was found.
        hits: photos whose result was known.
        computed: photos that a network looked at.
        seconds: wall clock.
        spent: seconds of all workers together, by what they did.
    """

    asked: bool = True
    engine: str = ""
    found: dict[str, Detection | None] = field(default_factory=dict)
    hits: int = 0
    computed: int = 0
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)

    def line(self, photos: int, found: int) -> str:
        """The sentence that the stage ends with."""
        total = max(sum(self.spent.values()), 1e-9)
        shares = ", ".join(f"{name} {part / total:.0%}" for name, part in self.spent.items())
        bound = f", bound by {max(self.spent, key=self.spent.__getitem__)} ({shares})" if shares else ""
        rate = f"{photos / max(self.seconds, 1e-9):.1f} photos/s"
        return (
            f"{self.engine}: {photos} photos, {self.hits} from the cache, {self.computed} computed, "
            f"{found} found, {photos - found} fallback, {rate}{bound}"
        )


def detect_photos(
    orders: Sequence[IndexedPhoto],
    detect: Detect,
    root: Path,
    items: Path,
    workers: int | None,
    background: tuple[int, int, int] = (255, 255, 255),
) -> DetectionResult:
    """Looks at every photo that is not in the result cache.

    Args:
        orders: the photos; the same photo (by sha256) may come twice and is looked at once.
        detect: the params section.
        root: the folder with `.cache`.
        items: the result cache.
        workers: processes; None = one per usable CPU.
        background: RGB put behind transparent pixels.

    Raises:
        UserError: a photo cannot be read, or is not the one that was indexed; names it.
    """
    start = time.monotonic()
    module = load_plugin("detect.methods", detect.method)
    if module.create is None:
        return DetectionResult(asked=False, found={order.sha256: None for order in orders})
    identity = module.identity(detect, root)
    cache = ResultCache(
        items, "detect", {"method": detect.method, "background": list(background), **identity}
    )
    known = cache.rows()
    result = DetectionResult(engine=f"{detect.method} on {identity['backend']} {identity['precision']}")
    result.found = {o.sha256: from_row(known[o.sha256]) for o in orders if o.sha256 in known}
    result.hits = sum(o.sha256 in known for o in orders)
    missing = list({o.sha256: o for o in orders if o.sha256 not in known}.values())
    result.computed = len(missing)
    if missing:
        module.prepare(detect, root)
        batches = batches_of(missing, CUDA_BATCH if on_cuda(detect) else CPU_BATCH)
        _look(batches, functools.partial(Detector, detect, root, background), workers, cache, result)
    cache.count(result.hits, len(orders) - result.hits)
    result.seconds = time.monotonic() - start
    return result


def on_cuda(detect: Detect) -> bool:
    """Whether the networks run on a GPU."""
    return engine_of(detect.backend) == "torch" and has_cuda()


def _look(
    batches: list[list[IndexedPhoto]],
    factory: Any,
    workers: int | None,
    cache: ResultCache,
    result: DetectionResult,
) -> None:
    """Runs the workers, and keeps what they found as it comes, also when the run is ended."""
    fresh: dict[str, Row] = {}
    answers = run_parallel(factory, batches, workers=workers, chunk=1, name=names_of)
    photos = (row for answer in answers for row in _counted(answer, result.spent))
    try:
        for sha256, row in track(photos, result.computed, "detect"):
            fresh[sha256] = row
            result.found[sha256] = from_row(row)
            if len(fresh) >= STORE_EVERY:
                cache.add_rows(fresh)
                fresh.clear()
    finally:
        cache.add_rows(fresh)


def _counted(answer: tuple[list[tuple[str, Row]], dict[str, float]], spent: dict[str, float]) -> Any:
    rows, seconds = answer
    for name, part in seconds.items():
        spent[name] = spent.get(name, 0.0) + part
    return rows


class Detector:
    """One worker: reads photos and lets the detector look at them."""

    def __init__(self, detect: Detect, root: Path, background: tuple[int, int, int]) -> None:
        self.background = background
        self.look = load_plugin("detect.methods", detect.method).create(detect, root)

    def __call__(self, batch: list[IndexedPhoto]) -> tuple[list[tuple[str, Row]], dict[str, float]]:
        """Rows by sha256, and the seconds spent on decoding and in the network."""
        start = time.perf_counter()
        images = [order.read(self.background) for order in batch]
        decoded = time.perf_counter()
        rows = [(order.sha256, to_row(f)) for order, f in zip(batch, self.look(images), strict=True)]
        return rows, {"decode": decoded - start, "network": time.perf_counter() - decoded}


def to_row(found: Detection | None) -> Row:
    """What is kept of a result, as JSON values; float32 survives exactly."""
    if found is None:
        return {"box": None}
    box = [float(v) for v in np.asarray(found.box, dtype=np.float32)]
    marks = None if found.landmarks is None else [float(v) for v in np.ravel(found.landmarks)]
    return {"box": box, "score": float(found.score), "landmarks": marks}


def from_row(row: Row) -> Detection | None:
    """The result that `to_row` kept."""
    if row["box"] is None:
        return None
    marks = row["landmarks"]
    landmarks = None if marks is None else np.array(marks, dtype=np.float32).reshape(-1, 2)
    return Detection(np.array(row["box"], dtype=np.float32), row["score"], landmarks)
