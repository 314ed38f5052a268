"""detect.method yolov8: the person that the photo is about, by YOLOv8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.detect.methods import DetectFn
from pipeline.detect.yolo import engines
from pipeline.detect.yolo.engines import OpenvinoEngine, TorchEngine
from pipeline.detect.yolo.people import PersonDetector
from pipeline.networks import weights
from pipeline.networks.backends import Precision, engine_of, precision_of
from pipeline.params.preparation import Detect

VERSION = f"2.{engines.VERSION}"
PRECISION = "detect.yolov8.precision"


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
