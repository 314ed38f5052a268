"""Runs a detector over photos: known results come from the cache, worker processes compute the rest."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect.boxes import Detection
from pipeline.io.result_cache import ResultCache, Row
from pipeline.networks.backends import engine_of, has_cuda
from pipeline.networks.indexed_photo import IndexedPhoto, batches_of, names_of, sources_of
from pipeline.params.machine import Machine
from pipeline.params.preparation import Detect
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import track
from pipeline.workers.run import run_parallel

CPU_BATCH = 8  # photos per task of a worker
CUDA_BATCH = 32
STORE_EVERY = 256  # photos between writes to the cache, so that an interrupted run loses little


@dataclass
class DetectionResult:
    """Detections in a set of photos, and the time they took.

    Attributes:
        ran: False for a method without a detector.
        engine: what runs the network, e.g. "mtcnn on openvino f32".
        detections: by the photo's sha256; None where nothing was found.
        hits: photos with a cached result.
        computed: photos that ran through the network.
        seconds: wall clock.
        worker_seconds: seconds of all workers together, by phase.
    """

    ran: bool = True
    engine: str = ""
    detections: dict[str, Detection | None] = field(default_factory=dict)
    hits: int = 0
    computed: int = 0
    seconds: float = 0.0
    worker_seconds: dict[str, float] = field(default_factory=dict)

    def line(self, photos: int, found: int) -> str:
        """The summary line of the stage; `found`: how many of `photos` have a detection."""
        total = max(sum(self.worker_seconds.values()), 1e-9)
        shares = ", ".join(f"{name} {part / total:.0%}" for name, part in self.worker_seconds.items())
        slowest = max(self.worker_seconds, key=self.worker_seconds.__getitem__, default="")
        bound = f", bound by {slowest} ({shares})" if shares else ""
        rate = f"{photos / max(self.seconds, 1e-9):.1f} photos/s"
        return (
            f"{self.engine}: {photos} photos, {self.hits} from the cache, {self.computed} computed, "
            f"{found} found, {photos - found} fallback, {rate}{bound}"
        )


def detect_photos(
    photos: Sequence[IndexedPhoto],
    detect: Detect,
    root: Path,
    cache_folder: Path,
    machine: Machine,
    background: tuple[int, int, int] = (255, 255, 255),
) -> DetectionResult:
    """Detects in every photo, from the result cache where it can.

    Args:
        photos: duplicates (by sha256) are computed once.
        detect: the params section.
        root: the folder with `.cache`.
        cache_folder: of the result cache.
        machine: the params section: engine and workers.
        background: RGB put behind transparent pixels.

    Raises:
        UserError: a photo cannot be read, or is not the one that was indexed; names it.
    """
    start = time.monotonic()
    module = load_plugin("detect.methods", detect.method)
    if module.create is None:
        return DetectionResult(ran=False, detections={photo.sha256: None for photo in photos})
    identity = module.identity(detect, root)
    cache = ResultCache(
        cache_folder, "detect", {"method": detect.method, "background": list(background), **identity}
    )
    result = DetectionResult(engine=f"{detect.method} on {identity['backend']} {identity['precision']}")
    with cache.turn():
        cached = cache.rows()
        result.detections = {o.sha256: from_row(cached[o.sha256]) for o in photos if o.sha256 in cached}
        result.hits = sum(o.sha256 in cached for o in photos)
        missing = list({o.sha256: o for o in photos if o.sha256 not in cached}.values())
        result.computed = len(missing)
        if missing:
            module.prepare(detect, root)
            batches = batches_of(missing, CUDA_BATCH if on_cuda(detect) else CPU_BATCH)
            factory = functools.partial(DetectWorker, detect, root, background)
            same = functools.partial(module.identity, detect, root)
            _run_workers(batches, factory, same, machine, cache, result)
    cache.count(result.hits, len(photos) - result.hits)
    result.seconds = time.monotonic() - start
    return result


def on_cuda(detect: Detect) -> bool:
    """Whether the networks run on a GPU."""
    return engine_of(detect.backend) == "torch" and has_cuda()


def _run_workers(
    batches: list[list[IndexedPhoto]],
    factory: Any,
    same: Callable[[], dict[str, Any]],
    machine: Machine,
    cache: ResultCache,
    result: DetectionResult,
) -> None:
    """Runs the workers; caches results as they come, also when the run is interrupted."""
    fresh: dict[str, Row] = {}
    outputs = run_parallel(
        factory, batches, machine=machine, chunk=1, name=names_of, reads=sources_of, same=same
    )
    photos = (row for output in outputs for row in _take_rows(output, result.worker_seconds))
    try:
        for sha256, row in track(photos, result.computed, "detect"):
            fresh[sha256] = row
            result.detections[sha256] = from_row(row)
            if len(fresh) >= STORE_EVERY:
                cache.add_rows(fresh)
                fresh.clear()
    finally:
        cache.add_rows(fresh)


def _take_rows(output: tuple[list[tuple[str, Row]], dict[str, float]], total: dict[str, float]) -> Any:
    """The rows of a worker's output; adds its seconds to `total`."""
    rows, seconds = output
    for name, part in seconds.items():
        total[name] = total.get(name, 0.0) + part
    return rows


class DetectWorker:
    """One worker: reads photos and runs the detector on them."""

    def __init__(self, detect: Detect, root: Path, background: tuple[int, int, int]) -> None:
        self.background = background
        self.detect = load_plugin("detect.methods", detect.method).create(detect, root)

    def __call__(self, batch: list[IndexedPhoto]) -> tuple[list[tuple[str, Row]], dict[str, float]]:
        """Rows by sha256, and the seconds spent on decoding and in the network."""
        start = time.perf_counter()
        images = [photo.read(self.background) for photo in batch]
        decoded = time.perf_counter()
        rows = [(photo.sha256, to_row(f)) for photo, f in zip(batch, self.detect(images), strict=True)]
        return rows, {"decode": decoded - start, "network": time.perf_counter() - decoded}


def to_row(detection: Detection | None) -> Row:
    """A detection as JSON values for the cache; float32 survives exactly."""
    if detection is None:
        return {"box": None}
    box = [float(v) for v in np.asarray(detection.box, dtype=np.float32)]
    marks = None if detection.landmarks is None else [float(v) for v in np.ravel(detection.landmarks)]
    return {"box": box, "score": float(detection.score), "landmarks": marks}


def from_row(row: Row) -> Detection | None:
    """The inverse of `to_row`."""
    if row["box"] is None:
        return None
    marks = row["landmarks"]
    landmarks = None if marks is None else np.array(marks, dtype=np.float32).reshape(-1, 2)
    return Detection(np.array(row["box"], dtype=np.float32), row["score"], landmarks)
