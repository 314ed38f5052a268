"""detect.method blazeface: MediaPipe's fast detector, with landmarks, for faces that fill much of a photo.

It sees the photo at 128 pixels a side (192 with the full range weights), on OpenVINO, in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect import blazeface
from pipeline.detect.blazeface.network import CONVERSION, ensure_converted
from pipeline.detect.boxes import Detection
from pipeline.detect.choice import best_face
from pipeline.detect.methods import DetectFn
from pipeline.networks import weights
from pipeline.params.preparation import Detect

VERSION = f"1.{blazeface.VERSION}.{CONVERSION}"


def identity(detect: Detect, root: Path) -> dict[str, Any]:
    params = detect.blazeface
    return {
        "version": VERSION,
        "weights": weights.sha256_of(weights.resolve(params.weights, root)),
        "score": params.score,
        "backend": "openvino",
        "precision": "f32",
    }


def prepare(detect: Detect, root: Path) -> None:
    ensure_converted(weights.resolve(detect.blazeface.weights, root), root)


def create(detect: Detect, root: Path) -> DetectFn:
    # imported late: numba takes 2 s, which a run from the cache does not need
    from pipeline.detect.blazeface.faces import find_faces
    from pipeline.detect.blazeface.network import Network

    params = detect.blazeface
    network = Network(ensure_converted(weights.resolve(params.weights, root), root))

    def detect_one(photo: np.ndarray) -> Detection | None:
        height, width = photo.shape[:2]
        faces = find_faces(network, photo, network.side, params.score)
        return best_face(faces, width, height)

    def detect_faces(photos: Sequence[np.ndarray]) -> list[Detection | None]:
        return [detect_one(photo) for photo in photos]

    return detect_faces
