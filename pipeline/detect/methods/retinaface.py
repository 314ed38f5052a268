"""detect.method retinaface: the face that the photo is about, with five landmarks; also behind masks.

It runs on OpenVINO only, in float32: 1.7 MB of weights that no GPU is needed for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect import retinaface
from pipeline.detect.boxes import Detection
from pipeline.detect.methods import DetectFn
from pipeline.networks import weights
from pipeline.params.preparation import Detect

VERSION = f"1.{retinaface.VERSION}"


def identity(detect: Detect, root: Path) -> dict[str, Any]:
    params = detect.retinaface
    return {
        "version": VERSION,
        "weights": weights.sha256_of(weights.resolve(params.weights, root)),
        "score": params.score,
        "max_side": params.max_side,
        "backend": "openvino",
        "precision": "f32",
    }


def prepare(detect: Detect, root: Path) -> None:
    weights.resolve(detect.retinaface.weights, root)


def create(detect: Detect, root: Path) -> DetectFn:
    # imported late: numba takes 2 s, which a run from the cache does not need
    from pipeline.detect.retinaface.faces import find_best_face
    from pipeline.detect.retinaface.network import Network

    params = detect.retinaface
    network = Network(weights.resolve(params.weights, root))

    def detect_one(photo: np.ndarray) -> Detection | None:
        return find_best_face(network, photo, params.score, params.max_side)

    def detect_faces(photos: Sequence[np.ndarray]) -> list[Detection | None]:
        return [detect_one(photo) for photo in photos]

    return detect_faces
