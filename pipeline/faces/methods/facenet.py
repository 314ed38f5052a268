"""faces.network facenet: 512 numbers of length 1 (InceptionResnetV1, Schroff et al. 2015, arXiv:1503.03832).

Its weights, trained on VGGFace2, come with no package: `faces.facenet.weights` names a row by URL, or a local
file. torch reads them once, without pickled code, for OpenVINO, which runs them in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.faces.alignment import cut_face, similarity, square_matrix
from pipeline.faces.facenet.graph import ensure_converted
from pipeline.faces.methods import LookFn
from pipeline.faces.numbers import Face, FaceNumbers
from pipeline.networks.backends import openvino_properties
from pipeline.networks.weights import resolve, sha256_of
from pipeline.params.preparation import Faces

VERSION = "1"
SIZE = 160  # pixels
BOX_SCALE = 1.16  # 160 pixels in the middle of a box that fills 138, as the network was trained
# eyes, nose and mouth corners in MTCNN's box of a face that looks straight ahead, as shares of its side
MEAN_FACE = np.array([[0.31, 0.39], [0.69, 0.39], [0.50, 0.58], [0.35, 0.77], [0.65, 0.77]])
POSITIONS = (0.5 + (MEAN_FACE - 0.5) / BOX_SCALE) * SIZE


def weight_names(faces: Faces) -> tuple[str, ...]:
    return (faces.facenet.weights,)


def identity(faces: Faces, root: Path) -> dict[str, Any]:
    weights = sha256_of(resolve(faces.facenet.weights, root))
    return {"version": VERSION, "weights": weights, "backend": "openvino", "precision": "f32"}


def prepare(faces: Faces, root: Path) -> None:
    ensure_converted(resolve(faces.facenet.weights, root), root)


def create(faces: Faces, root: Path) -> LookFn:
    import openvino

    core = openvino.Core()
    model = core.read_model(ensure_converted(resolve(faces.facenet.weights, root), root))
    request = core.compile_model(model, "CPU", openvino_properties("f32")).create_infer_request()

    def look_at(face: Face) -> FaceNumbers:
        pixels = (chip(face).astype(np.float32) - 127.5) / 128
        return FaceNumbers(request.infer({0: pixels[None]}, share_inputs=True)[0][0].copy())

    def look(faces: Sequence[Face]) -> list[FaceNumbers]:
        return [look_at(face) for face in faces]

    return look


def chip(face: Face) -> np.ndarray:
    """uint8 [160, 160, 3] RGB, the face as the network is used to seeing it."""
    if face.landmarks is None:
        return cut_face(face.photo, square_matrix(face.box, SIZE, BOX_SCALE), SIZE)
    return cut_face(face.photo, similarity(face.landmarks.astype(np.float64), POSITIONS), SIZE)
