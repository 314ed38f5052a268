"""The cascade as a coroutine: it yields requests to the networks and receives their responses.

So the steps of the cascade are written once, and a GPU, which needs large batches, runs the requests of many
photos together.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from pipeline.detect.mtcnn.nets import Nets


class Request(NamedTuple):
    """Pictures [N, …] for one of the networks, in the layout of `Nets`."""

    net: Literal["pnet", "rnet", "onet"]
    pictures: np.ndarray


@dataclass(frozen=True)
class Face:
    """One face.

    `box`: float32 [4], `xyxy`, pixels; may reach slightly outside the photo.
    `score`: probability in 0 … 1.
    `landmarks`: float32 [5, 2], x and y in pixels of left eye, right eye, nose, left and right mouth corner;
    left is the viewer's left.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray


@dataclass(frozen=True)
class Faces:
    """N faces, the largest first; N may be 0.

    `boxes`: float32 [N, 4], `scores`: float32 [N], `landmarks`: float32 [N, 5, 2], as in `Face`.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, i: int) -> Face:
        return Face(self.boxes[i], float(self.scores[i]), self.landmarks[i])

    @staticmethod
    def none() -> Faces:
        """No face."""
        zeros = np.zeros((0, 4), np.float32)
        return Faces(zeros, zeros[:, 0], np.zeros((0, 5, 2), np.float32))


Cascade = Generator[Request, np.ndarray, Faces]
"""Yields requests, receives their responses [N, …], each valid until the next request, and returns faces."""


def run_cascade(cascade: Cascade, nets: Nets) -> Faces:
    """Runs the cascade of one photo."""
    try:
        request = next(cascade)
        while True:
            request = cascade.send(getattr(nets, request.net)(request.pictures))
    except StopIteration as end:
        return end.value


def run_cascades(cascades: Sequence[Cascade], nets: Nets) -> list[Faces]:
    """Runs cascades in lockstep, with equal-shaped requests batched."""
    faces: dict[int, Faces] = {}
    responses: dict[int, np.ndarray | None] = dict.fromkeys(range(len(cascades)))
    while responses:
        pending: dict[tuple[object, ...], list[tuple[int, Request]]] = {}
        for i, response in responses.items():
            try:
                request = cascades[i].send(response)  # pyright: ignore[reportArgumentType]  (None starts it)
            except StopIteration as end:
                faces[i] = end.value
            else:
                pending.setdefault((request.net, *request.pictures.shape[1:]), []).append((i, request))
        responses = {i: response for batch in pending.values() for i, response in _responses(batch, nets)}
    return [faces[i] for i in range(len(cascades))]


def _responses(batch: list[tuple[int, Request]], nets: Nets) -> list[tuple[int, np.ndarray]]:
    """Each cascade's response to requests of one network and shape."""
    pictures = np.concatenate([request.pictures for _, request in batch])
    output = getattr(nets, batch[0][1].net)(pictures).copy()  # the next call overwrites the original
    ends = np.cumsum([len(request.pictures) for _, request in batch])
    return [(i, part) for (i, _), part in zip(batch, np.split(output, ends[:-1]), strict=True)]
