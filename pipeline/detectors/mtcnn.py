"""detect.method mtcnn: the largest face, with its five landmarks; weights from facenet-pytorch's wheel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.backends import engine_of, has_cuda
from pipeline.boxes import Found, clip
from pipeline.detectors import Look
from pipeline.mtcnn import cascade
from pipeline.mtcnn.faces import Face
from pipeline.params.pixels import Detect

VERSION = f"1.{cascade.VERSION}"


def identity(detect: Detect, root: Path) -> dict[str, Any]:
    return {
        "version": VERSION,
        "weights": cascade.WEIGHTS_SHA256(),
        "adaptive": detect.mtcnn.adaptive,
        "backend": engine_of(detect.backend),
        "precision": "f32",  # in bf16 6 to 20 % of the boxes were others
    }


def prepare(detect: Detect, root: Path) -> None:
    return None


def create(detect: Detect, root: Path) -> Look:
    engine = engine_of(detect.backend)
    device = "cuda" if engine == "torch" and has_cuda() else "cpu"
    mtcnn = cascade.Mtcnn(backend=engine, adaptive=detect.mtcnn.adaptive, threads=1, device=device)

    def look(photos: Sequence[np.ndarray]) -> list[Found | None]:
        faces = map(mtcnn.best, photos) if device == "cpu" else mtcnn.bests(photos)
        return [
            _found(face, photo.shape[1], photo.shape[0]) for face, photo in zip(faces, photos, strict=True)
        ]

    return look


def _found(face: Face | None, width: int, height: int) -> Found | None:
    if face is None:
        return None
    return Found(clip(face.box, width, height), face.score, face.landmarks.astype(np.float32))
