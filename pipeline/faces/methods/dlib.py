"""faces.network dlib: 128 numbers in which photos of one person lie within .6 of each other.

dlib runs its ResNet itself, in float32 on the CPU, and reads its own .dat file, which holds no code. A face
is turned upright by its landmarks, to where dlib's own alignment puts them; without landmarks it is a square
around the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.faces.alignment import cut_face, similarity, square_matrix
from pipeline.faces.methods import LookFn
from pipeline.faces.numbers import Face, FaceNumbers
from pipeline.networks.weights import resolve, sha256_of
from pipeline.params.preparation import Faces
from pipeline.runtime.errors import UserError, first_line

VERSION = "1"
SIZE = 150  # pixels
PADDING = 0.25  # of dlib.get_face_chip, on every side, in sides of the mean face
# Centres of the eyes, tip of the nose and corners of the mouth of dlib's mean face (the 68 points of
# dlib/image_transforms/interpolation.h), as shares of its side
MEAN_FACE = np.array(
    [[0.2255, 0.2160], [0.7548, 0.2160], [0.4901, 0.5156], [0.2541, 0.7802], [0.7261, 0.7802]]
)
POSITIONS = (PADDING + MEAN_FACE) / (1 + 2 * PADDING) * SIZE
BOX_SCALE = 1.3  # side of the square, in longer sides of the box, where there are no landmarks


def weight_names(faces: Faces) -> tuple[str, ...]:
    return (faces.dlib.weights,)


def identity(faces: Faces, root: Path) -> dict[str, Any]:
    weights = sha256_of(resolve(faces.dlib.weights, root))
    return {"version": VERSION, "weights": weights, "backend": "dlib", "precision": "f32"}


def prepare(faces: Faces, root: Path) -> None:
    resolve(faces.dlib.weights, root)


def create(faces: Faces, root: Path) -> LookFn:
    weights = resolve(faces.dlib.weights, root)
    network = _load(weights)

    def look(faces: Sequence[Face]) -> list[FaceNumbers]:
        # one by one: sums over a batch come in another order
        return [
            FaceNumbers(np.array(network.compute_face_descriptor(chip(face)), dtype=np.float32))
            for face in faces
        ]

    return look


def chip(face: Face) -> np.ndarray:
    """uint8 [150, 150, 3] RGB, the face as the network is used to seeing it."""
    if face.landmarks is None:
        return cut_face(face.photo, square_matrix(face.box, SIZE, BOX_SCALE), SIZE)
    return cut_face(face.photo, similarity(face.landmarks.astype(np.float64), POSITIONS), SIZE)


def _load(weights: Path) -> Any:
    try:
        import dlib
    except ImportError as e:
        raise UserError(
            "faces.network dlib needs the package dlib-bin, which cannot be imported",
            got=first_line(e),
            fix="run `make setup`, which installs it where it has a wheel, or set faces.network: faceres",
        ) from e
    try:
        return getattr(dlib, "face_recognition_model_v1")(str(weights))  # noqa: B009 (it has no types)
    except RuntimeError as e:
        raise UserError(
            "these weights are not dlib's face recognition network",
            where=weights,
            got=first_line(e),
            fix="set faces.dlib.weights: dlib_face_recognition_resnet_model_v1.dat",
        ) from e
