"""What a face network is asked about a photo, and what it answers."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np

from pipeline.io.result_cache import Row


@dataclass(frozen=True)
class Face:
    """A photo and where its face is.

    Attributes:
        photo: uint8 [H, W, 3], RGB, upright.
        box: `xyxy` in pixels of the photo, float32 [4].
        landmarks: x, y of left eye, right eye, nose, left and right corner of the mouth (left is the
            viewer's left), in pixels, float32 [5, 2]; None where nothing was found.
    """

    photo: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray | None = None


@dataclass(frozen=True)
class FaceNumbers:
    """A network's answer for one face.

    Attributes:
        embedding: float32 [D], as the network gives it: not scaled to length 1.
        male: probability that the person is male, 0 to 1; NaN where the network does not say.
        age: in years; NaN where the network does not say.
    """

    embedding: np.ndarray
    male: float = float("nan")
    age: float = float("nan")


def to_row(numbers: FaceNumbers) -> Row:
    """The answer as JSON values for the cache; float32 survives exactly."""
    data = np.ascontiguousarray(numbers.embedding, dtype="<f4").tobytes()
    facts = {"male": numbers.male, "age": numbers.age}
    known = {name: value for name, value in facts.items() if not np.isnan(value)}
    return {"embedding": base64.b64encode(data).decode("ascii"), **known}


def from_row(row: Row) -> FaceNumbers:
    """The inverse of `to_row`."""
    embedding = np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4").astype(np.float32)
    return FaceNumbers(embedding, row.get("male", float("nan")), row.get("age", float("nan")))
