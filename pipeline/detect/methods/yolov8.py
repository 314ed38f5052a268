"""detect.method yolov8: the person box with the highest YOLOv8 score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect.boxes import Detection, area, clip, iou
from pipeline.detect.methods import DetectFn
from pipeline.detect.yolo import engines
from pipeline.detect.yolo.engines import Engine, NetOutput, OpenvinoEngine, TorchEngine
from pipeline.detect.yolo.letterbox import Letterbox, fill_letterbox, letterbox_of
from pipeline.networks import weights
from pipeline.networks.backends import Precision, engine_of, precision_of
from pipeline.params.schema import Detect

VERSION = f"1.{engines.VERSION}"
PRECISION = "detect.yolov8.precision"

# Within these margins float32 decides instead of bf16: 9 % of photos. Of 290 real photos bf16 alone got 8
# wrong, by at most 0.02 between two boxes and 0.21 at the threshold (logits); with these margins none.
RIVAL_MARGIN = 0.1  # logit below the best box, within which another box is a rival
SAME_BOX_IOU = 0.95  # IoU from which two boxes count as one
THRESHOLD_MARGIN = 0.25  # logit, distance of the best box from the threshold
MAX_RIVALS = 16


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
        engines.ensure_converted(path, weights.sha256_of(path), root)


def create(detect: Detect, root: Path) -> DetectFn:
    engine = engine_of(detect.backend)
    precision = precision_of(detect.yolov8.precision, engine, PRECISION)
    path = weights.resolve(detect.yolov8.weights, root)
    folder = engines.ensure_converted(path, weights.sha256_of(path), root) if engine == "openvino" else None

    def make_detector(precision: Precision, precise: PersonDetector | None = None) -> PersonDetector:
        net = OpenvinoEngine(folder, precision) if folder else TorchEngine(path, root, precision)
        return PersonDetector(net, detect.yolov8.confidence, precise)

    return (
        make_detector("bf16", precise=make_detector("f32"))
        if precision == "bf16"
        else make_detector(precision)
    )


class PersonDetector:
    """The best person box of each photo.

    It needs no non-maximum suppression, which never drops the box with the highest score. Unlike
    ultralytics' `predict`, an anchor counts as a person even where another class scores higher still.

    Args:
        engine: runs the network.
        confidence: the minimum score of a detection.
        precise: decides instead where the network is too coarse (bf16).
    """

    def __init__(self, engine: Engine, confidence: float, precise: PersonDetector | None = None) -> None:
        self.engine = engine
        self.min_logit = float(np.log(confidence / (1 - confidence)))  # before the sigmoid
        self.precise = precise

    def __call__(self, photos: Sequence[np.ndarray]) -> list[Detection | None]:
        """Photos uint8 [H, W, 3] RGB; those of one letterbox go through the network together."""
        results: list[Detection | None] = [None] * len(photos)
        frames = [letterbox_of(photo.shape[1], photo.shape[0]) for photo in photos]
        shapes: dict[tuple[int, int], list[int]] = {}
        for i, frame in enumerate(frames):
            shapes.setdefault((frame.height, frame.width), []).append(i)
        for group in shapes.values():
            for batch in self._batches(group):
                output = self.engine(np.stack([fill_letterbox(photos[i], frames[i]) for i in batch]))
                for n, i in enumerate(batch):
                    results[i] = self._best(output, n, frames[i], photos[i])
        return results

    def _batches(self, group: list[int]) -> list[list[int]]:
        """One photo at a time on a CPU, so that it stays in the caches; all at once on a GPU."""
        return [group] if isinstance(self.engine, TorchEngine) else [[i] for i in group]

    def _best(self, output: NetOutput, n: int, frame: Letterbox, photo: np.ndarray) -> Detection | None:
        logits = output.logits[n]
        highest = float(logits.max())
        if self.precise and abs(highest - self.min_logit) < THRESHOLD_MARGIN:
            return self.precise([photo])[0]
        if highest < self.min_logit:
            return None
        margin = RIVAL_MARGIN if self.precise else 0.0
        rivals = np.flatnonzero(logits >= highest - margin)
        rivals = rivals[np.argsort(-logits[rivals], kind="stable")][:MAX_RIVALS]
        boxes = clip(self._boxes(output, n, rivals, frame), photo.shape[1], photo.shape[0])
        best = max(range(len(boxes)), key=lambda k: (logits[rivals[k]], area(boxes[k])))
        if self.precise and iou(boxes, boxes[best][None]).min() < SAME_BOX_IOU:
            return self.precise([photo])[0]
        return Detection(boxes[best], float(1 / (1 + np.exp(-highest))))

    def _boxes(self, output: NetOutput, n: int, anchors: np.ndarray, frame: Letterbox) -> np.ndarray:
        """Boxes of some anchors in pixels of the photo, float32 [K, 4], not clipped."""
        branch = self.engine.boxes
        cells = np.array([branch.locate(int(a), frame.height, frame.width) for a in anchors])
        boxes = np.empty((len(anchors), 4), dtype=np.float32)
        for level in np.unique(cells[:, 0]):
            in_level = np.flatnonzero(cells[:, 0] == level)
            patches = [
                output.patch(n, int(level), int(row), int(column)) for _, row, column in cells[in_level]
            ]
            features, inside = (np.stack(parts) for parts in zip(*patches, strict=True))
            boxes[in_level] = branch.decode(int(level), features, inside, cells[in_level, 1:])
        return frame.to_photo(boxes)
