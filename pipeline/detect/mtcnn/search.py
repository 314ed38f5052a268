"""Looking for faces as a conversation: a search asks the networks, whoever runs it has them answer.

So the steps of the cascade stand in one place, and a GPU, which is fast only with much at a time, gets the
questions of many photos together.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from pipeline.detect.mtcnn.nets import Nets


class Request(NamedTuple):
    """Pictures [N, …] for one of the networks, as `Nets` takes them."""

    net: Literal["pnet", "rnet", "onet"]
    pictures: np.ndarray


@dataclass(frozen=True)
class Face:
    """One face.

    `box`: float32 [4], `xyxy`, pixels; may reach outside the photo by a little.
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


Search = Generator[Request, np.ndarray, Faces]
"""Yields questions, is sent their answers [N, …], each valid until the next question, and returns faces."""


def faces_of(search: Search, nets: Nets) -> Faces:
    """Runs one search."""
    try:
        question = next(search)
        while True:
            question = search.send(getattr(nets, question.net)(question.pictures))
    except StopIteration as end:
        return end.value


def faces_of_all(searches: Sequence[Search], nets: Nets) -> list[Faces]:
    """Runs searches in step: what they ask at one time and fits together is one question."""
    found: dict[int, Faces] = {}
    answers: dict[int, np.ndarray | None] = dict.fromkeys(range(len(searches)))
    while answers:
        asked: dict[tuple[object, ...], list[tuple[int, Request]]] = {}
        for i, answer in answers.items():
            try:
                question = searches[i].send(answer)  # pyright: ignore[reportArgumentType]  (None starts it)
            except StopIteration as end:
                found[i] = end.value
            else:
                asked.setdefault((question.net, *question.pictures.shape[1:]), []).append((i, question))
        answers = {i: answer for same in asked.values() for i, answer in _answers(same, nets)}
    return [found[i] for i in range(len(searches))]


def _answers(same: list[tuple[int, Request]], nets: Nets) -> list[tuple[int, np.ndarray]]:
    """What a network says to questions that fit together, for each search."""
    pictures = np.concatenate([question.pictures for _, question in same])
    said = getattr(nets, same[0][1].net)(pictures).copy()  # another question comes before these are read
    ends = np.cumsum([len(question.pictures) for _, question in same])
    return [(i, part) for (i, _), part in zip(same, np.split(said, ends[:-1]), strict=True)]
