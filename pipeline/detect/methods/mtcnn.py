"""detect.method mtcnn: the largest face, with its five landmarks; weights from facenet-pytorch's wheel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detect import mtcnn
from pipeline.detect.boxes import Detection, clip
from pipeline.detect.methods import DetectFn
from pipeline.detect.mtcnn.coroutine import Face
from pipeline.detect.mtcnn.weights import ensure_converted, weights_sha256
from pipeline.networks.backends import engine_of, has_cuda
from pipeline.params.preparation import Detect

VERSION = f"1.{mtcnn.VERSION}"


def identity(detect: Detect, root: Path) -> dict[str, Any]:
    return {
        "version": VERSION,
        "weights": weights_sha256(),
        "adaptive": detect.mtcnn.adaptive,
        "backend": engine_of(detect.backend),
        "device": _device(detect),
        "precision": "f32",  # bf16 changed 6 to 20 % of the boxes
    }


def prepare(detect: Detect, root: Path) -> None:
    ensure_converted(root)  # so that no worker needs torch for it


def create(detect: Detect, root: Path) -> DetectFn:
    # imported late: numba takes 2 s, which a run from the cache does not need
    from pipeline.detect.mtcnn.cascade import Mtcnn

    device = _device(detect)
    cascade = Mtcnn(
        backend=engine_of(detect.backend),
        adaptive=detect.mtcnn.adaptive,
        threads=1,
        device=device,
        root=root,
    )

    def detect_faces(photos: Sequence[np.ndarray]) -> list[Detection | None]:
        faces = map(cascade.detect_largest, photos) if device == "cpu" else cascade.detect_largest_in(photos)
        return [
            _detection(face, photo.shape[1], photo.shape[0])
            for face, photo in zip(faces, photos, strict=True)
        ]

    return detect_faces


def _device(detect: Detect) -> str:
    return "cuda" if engine_of(detect.backend) == "torch" and has_cuda() else "cpu"


def _detection(face: Face | None, width: int, height: int) -> Detection | None:
    if face is None:
        return None
    return Detection(clip(face.box, width, height), face.score, face.landmarks.astype(np.float32))
