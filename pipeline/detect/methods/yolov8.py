"""detect.method yolov8: the person that the photo is about, by YOLOv8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect.boxes import Detection, clip, iou
from pipeline.detect.choice import choose, worth
from pipeline.detect.methods import DetectFn
from pipeline.detect.yolo import engines
from pipeline.detect.yolo.engines import Engine, NetOutput, OpenvinoEngine, TorchEngine
from pipeline.detect.yolo.letterbox import Letterbox, fill_letterbox, letterbox_of
from pipeline.networks import weights
from pipeline.networks.backends import Precision, engine_of, precision_of
from pipeline.params.schema import Detect

VERSION = f"2.{engines.VERSION}"
PRECISION = "detect.yolov8.precision"

NMS_IOU = 0.7  # ultralytics' default
MAX_ANCHORS = 128  # of those that pass the threshold, the surest

# Within these margins float32 decides instead of bf16: 9 % of photos. Of 290 real photos bf16 alone got 8
# wrong, by at most 0.02 between two boxes and 0.21 at the threshold (logits); with these margins none.
RIVAL_MARGIN = 0.1  # logit below the best box, within which another box is a rival
RIVAL_WORTH = 0.8  # of the best person's worth, from which another person is a rival
SAME_BOX_IOU = 0.95  # IoU from which two boxes count as one
THRESHOLD_MARGIN = 0.25  # logit, distance of the best box from the threshold


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
    """The person that each photo is about, by `pipeline.detect.choice`, of those left by suppression.

    Unlike in ultralytics' `predict`, an anchor counts as a person even where another class scores higher.

    Args:
        engine: runs the network.
        confidence: the minimum score of a detection.
        precise: decides instead where the network is too coarse (bf16).
    """

    def __init__(self, engine: Engine, confidence: float, precise: PersonDetector | None = None) -> None:
        from pipeline.detect.nms import nms  # late: numba takes 2 s

        self.suppress = nms
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
        anchors = np.flatnonzero(logits >= self.min_logit)
        anchors = anchors[np.argsort(-logits[anchors], kind="stable")][:MAX_ANCHORS]
        height, width = photo.shape[:2]
        boxes = clip(self._boxes(output, n, anchors, frame), width, height)
        people = self.suppress(boxes, logits[anchors], NMS_IOU)
        scores = 1 / (1 + np.exp(-logits[anchors].astype(np.float64)))
        best = choose(boxes[people], scores[people], width, height)
        if self.precise and self._is_close(boxes, logits[anchors], people, best, scores, photo):
            return self.precise([photo])[0]
        return Detection(boxes[people[best]], float(scores[people[best]]))

    def _is_close(
        self,
        boxes: np.ndarray,
        logits: np.ndarray,
        people: np.ndarray,
        best: int,
        scores: np.ndarray,
        photo: np.ndarray,
    ) -> bool:
        """Whether another person, or another box of the best one, nearly won."""
        worths = worth(boxes[people], scores[people], photo.shape[1], photo.shape[0])
        if (np.delete(worths, best) >= RIVAL_WORTH * worths[best]).any():
            return True
        overlaps = iou(boxes, boxes[people[best]][None])
        own = (overlaps > NMS_IOU / 2) & (logits >= logits[people[best]] - RIVAL_MARGIN)
        return bool(overlaps[own].min(initial=1.0) < SAME_BOX_IOU)

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
