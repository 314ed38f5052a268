"""detect.method yolov8: the box of the person that YOLOv8 is most sure of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect.boxes import Detection, area, clip, iou
from pipeline.detect.methods import Look
from pipeline.detect.yolo import engines
from pipeline.detect.yolo.engines import Answer, Engine, OpenvinoEngine, TorchEngine
from pipeline.detect.yolo.letterbox import Letterbox, fill_letterbox, letterbox_of
from pipeline.networks import weights
from pipeline.networks.backends import Precision, engine_of, precision_of
from pipeline.params.schema import Detect

VERSION = f"1.{engines.VERSION}"
PRECISION = "detect.yolov8.precision"

# Where bf16 does not decide but float32 looks again, 9 % of photos. Of 290 real ones bf16 alone got 8 wrong,
# by 0.02 at most between two boxes and 0.21 at the threshold (logits); with these margins none.
RIVAL = 0.1  # another box scores less than this below the best
SAME = 0.95  # IoU from which two boxes are one
UNSURE = 0.25  # the best is less than this away from the threshold
MOST_RIVALS = 16


def identity(detect: Detect, root: Path) -> dict[str, Any]:
    engine = engine_of(detect.backend)
    return {
        "version": VERSION,
        "weights": weights.sha256_of(weights.resolve(detect.yolov8.weights, root)),
        "confidence": detect.yolov8.confidence,
        "backend": engine,
        "precision": precision_of(detect.yolov8.precision, engine, PRECISION),
    }


def prepare(detect: Detect, root: Path) -> None:
    if engine_of(detect.backend) == "openvino":
        path = weights.resolve(detect.yolov8.weights, root)
        engines.converted(path, weights.sha256_of(path), root)


def create(detect: Detect, root: Path) -> Look:
    engine = engine_of(detect.backend)
    precision = precision_of(detect.yolov8.precision, engine, PRECISION)
    path = weights.resolve(detect.yolov8.weights, root)
    folder = engines.converted(path, weights.sha256_of(path), root) if engine == "openvino" else None

    def finder(precision: Precision, referee: PersonFinder | None = None) -> PersonFinder:
        net = OpenvinoEngine(folder, precision) if folder else TorchEngine(path, root, precision)
        return PersonFinder(net, detect.yolov8.confidence, referee)

    return finder("bf16", referee=finder("f32")) if precision == "bf16" else finder(precision)


class PersonFinder:
    """The best person box of each photo.

    Non-maximum suppression is not needed for that: it never drops the box with the highest score. Unlike
    ultralytics' `predict`, an anchor counts as a person even where another class scores higher still.

    Args:
        engine: runs the network.
        confidence: below this score nothing was found.
        referee: finds the person instead where this one's network is too coarse to tell (bf16).
    """

    def __init__(self, engine: Engine, confidence: float, referee: PersonFinder | None = None) -> None:
        self.engine = engine
        self.least = float(np.log(confidence / (1 - confidence)))  # before the sigmoid
        self.referee = referee

    def __call__(self, photos: Sequence[np.ndarray]) -> list[Detection | None]:
        """Photos uint8 [H, W, 3] RGB; those of one letterbox go through the network together."""
        results: list[Detection | None] = [None] * len(photos)
        frames = [letterbox_of(photo.shape[1], photo.shape[0]) for photo in photos]
        shapes: dict[tuple[int, int], list[int]] = {}
        for i, frame in enumerate(frames):
            shapes.setdefault((frame.height, frame.width), []).append(i)
        for group in shapes.values():
            for batch in self._batches(group):
                answer = self.engine(np.stack([fill_letterbox(photos[i], frames[i]) for i in batch]))
                for n, i in enumerate(batch):
                    results[i] = self._best(answer, n, frames[i], photos[i])
        return results

    def _batches(self, group: list[int]) -> list[list[int]]:
        """One photo at a time on a CPU, whose caches a batch would leave; all at once on a GPU."""
        return [group] if isinstance(self.engine, TorchEngine) else [[i] for i in group]

    def _best(self, answer: Answer, n: int, frame: Letterbox, photo: np.ndarray) -> Detection | None:
        logits = answer.logits[n]
        highest = float(logits.max())
        if self.referee and abs(highest - self.least) < UNSURE:
            return self.referee([photo])[0]
        if highest < self.least:
            return None
        ahead = RIVAL if self.referee else 0.0
        rivals = np.flatnonzero(logits >= highest - ahead)
        rivals = rivals[np.argsort(-logits[rivals], kind="stable")][:MOST_RIVALS]
        boxes = clip(self._boxes(answer, n, rivals, frame), photo.shape[1], photo.shape[0])
        best = max(range(len(boxes)), key=lambda k: (logits[rivals[k]], area(boxes[k])))
        if self.referee and iou(boxes, boxes[best][None]).min() < SAME:
            return self.referee([photo])[0]
        return Detection(boxes[best], float(1 / (1 + np.exp(-highest))))

    def _boxes(self, answer: Answer, n: int, anchors: np.ndarray, frame: Letterbox) -> np.ndarray:
        """Boxes of some anchors in pixels of the photo, float32 [K, 4], not clipped."""
        branch = self.engine.boxes
        places = np.array([branch.place(int(a), frame.height, frame.width) for a in anchors])
        boxes = np.empty((len(anchors), 4), dtype=np.float32)
        for level in np.unique(places[:, 0]):
            of_level = np.flatnonzero(places[:, 0] == level)
            patches = [
                answer.patch(n, int(level), int(row), int(column)) for _, row, column in places[of_level]
            ]
            features, inside = (np.stack(parts) for parts in zip(*patches, strict=True))
            boxes[of_level] = branch.decode(int(level), features, inside, places[of_level, 1:])
        return frame.to_photo(boxes)
