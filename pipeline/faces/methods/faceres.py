"""faces.network faceres: gender, age and 1,024 features of a face (HSE_FaceRec_tf, a MobileNet).

After A. V. Savchenko, Efficient facial representations for age, gender and identity recognition (2019).
It runs on OpenVINO, in float32, and sees a square around the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.faces.faceres.graph import ensure_converted, numbers_of
from pipeline.faces.methods import LookFn
from pipeline.faces.numbers import Face, FaceNumbers
from pipeline.networks.weights import resolve, sha256_of
from pipeline.params.preparation import Faces

VERSION = "2"


def weight_names(faces: Faces) -> tuple[str, ...]:
    return (faces.faceres.weights, numbers_of(faces.faceres.weights))


def identity(faces: Faces, root: Path) -> dict[str, Any]:
    hashes = [sha256_of(resolve(name, root)) for name in weight_names(faces)]
    return {"version": VERSION, "weights": hashes, "backend": "openvino", "precision": "f32"}


def prepare(faces: Faces, root: Path) -> None:
    _graph(faces, root)


def create(faces: Faces, root: Path) -> LookFn:
    from pipeline.faces.faceres.openvino_net import FaceresNet

    network = FaceresNet(_graph(faces, root))

    def look(faces: Sequence[Face]) -> list[FaceNumbers]:
        return [network(face) for face in faces]

    return look


def _graph(faces: Faces, root: Path) -> Path:
    topology, numbers = (resolve(name, root) for name in weight_names(faces))
    return ensure_converted(topology, numbers, root)
