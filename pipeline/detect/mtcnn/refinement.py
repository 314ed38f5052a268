"""The second and third network of MTCNN over the candidates of one photo."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from pipeline.detect.mtcnn.boxes import face_probability, inside, shifted, squared
from pipeline.detect.mtcnn.compiled import compiled
from pipeline.detect.mtcnn.nets import ONET_SIDE, RNET_SIDE
from pipeline.detect.mtcnn.nms import nms, nms_contained
from pipeline.detect.mtcnn.pyramid import Pyramid
from pipeline.detect.mtcnn.search import Faces, Request, Search

BATCH = 48  # candidates that are asked about at a time until there is a face: smaller batches cost more
MIN_OVERLAP = 0.6  # of a face's side: what begins smaller than that does not become larger than the face
MAX_APART = 0.1  # of a candidate's area within a face: with less, neither can suppress the other


class Refinement:
    """Asks each network at most once about a candidate; can stop when the largest face is found.

    Args:
        thresholds: least probability after the second and third network.
        pyramid: of the photo.
        found: float32 [N, 9], candidates by falling score, as `candidates` gives them.
    """

    def __init__(self, thresholds: tuple[float, float], pyramid: Pyramid, found: np.ndarray) -> None:
        self.thresholds, self.pyramid = np.array(thresholds, np.float32), pyramid
        boxes = squared(shifted(found, found[:, 5:], 0))
        some, self.windows = inside(boxes, pyramid.width, pyramid.height)
        self.boxes = boxes[some]
        count = len(self.boxes)
        self.unknown = np.ones(count, bool)
        self.scores = np.zeros(count, np.float32)  # of the second network; 0 until it is asked
        self.answers = np.zeros((count, 6), np.float32)
        self.last: dict[int, np.ndarray] = {}  # the third network's answers, by candidate

    def all(self) -> Search:
        """Every face, the largest first."""
        yield from self._ask(self.unknown)
        return (yield from self._faces())

    def largest(self) -> Search:
        """The first face of `all`, and perhaps others.

        The likeliest candidates come first. Once there is a face, only those count that could end larger, or
        that lie where it is: 67 of 88 on photos of one person. How far a candidate's box may still move has
        no bound; with MIN_OVERLAP and MAX_APART the face was that of `all` in each of 3,088 comparisons.
        """
        faces = Faces.none()
        for start in range(0, len(self.boxes), BATCH):
            yield from self._ask(slice(start, start + BATCH))
            passed = self.scores > self.thresholds[0]
            if passed.any():  # probably the face: ask about what goes with it before the slow third network
                likely = self.boxes[np.argmax(passed * (self.boxes[:, 2] - self.boxes[:, 0]))]
                yield from self._ask(self._rivals(likely))
                faces = yield from self._faces()
            while len(faces):
                rivals = self._rivals(faces.boxes[0]) & self.unknown
                if not rivals.any():
                    return faces
                yield from self._ask(rivals)
                faces = yield from self._faces()
        return faces

    def _rivals(self, box: np.ndarray) -> np.ndarray:
        """bool [N]: candidates that may end larger than `box` [4], or lie in it in part."""
        return _rivals_of(self.boxes, box, MIN_OVERLAP**2 * (box[2] - box[0]) * (box[3] - box[1]))

    def _ask(self, which: np.ndarray | slice) -> Generator[Request, np.ndarray, None]:
        """The second network about these candidates, a slice or bool [N], but those that it knows."""
        wanted = np.zeros_like(self.unknown)
        wanted[which] = True
        (rows,) = np.nonzero(wanted & self.unknown)
        if len(rows):
            self.unknown[rows] = False
            self.answers[rows] = yield Request("rnet", self.pyramid.crops(self.windows[rows], RNET_SIDE))
            self.scores[rows] = face_probability(self.answers[rows, :2].T)

    def _faces(self) -> Search:
        """Faces among the candidates that the second network was asked about."""
        (rows,) = np.nonzero(self.scores > self.thresholds[0])
        rows = rows[nms(self.boxes[rows], self.scores[rows], 0.7)]
        boxes = squared(shifted(self.boxes[rows], self.answers[rows, 2:6], 1))
        some, windows = inside(boxes, self.pyramid.width, self.pyramid.height)
        boxes, rows = boxes[some], rows[some].tolist()
        if not rows:
            return Faces.none()
        if asked := [i for i, row in enumerate(rows) if row not in self.last]:
            answers = yield Request("onet", self.pyramid.crops(windows[asked], ONET_SIDE))
            self.last.update((rows[i], answer) for i, answer in zip(asked, answers.copy(), strict=True))
        return self._third(boxes, np.stack([self.last[row] for row in rows]))

    def _third(self, boxes: np.ndarray, answers: np.ndarray) -> Faces:
        """Faces by what the third network said."""
        scores = face_probability(answers[:, :2].T)
        passed = scores > self.thresholds[1]
        boxes, answers, scores = boxes[passed], answers[passed], scores[passed]
        one = np.float32(1)
        size = boxes[:, 2:4] - boxes[:, 0:2] + one
        shares = answers[:, 6:].reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = size[:, None] * shares + boxes[:, None, 0:2] - one
        boxes = shifted(boxes, answers[:, 2:6], 1)
        keep = nms_contained(boxes, scores, 0.7)
        boxes, scores, landmarks = boxes[keep], scores[keep], landmarks[keep]
        order = np.argsort((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[::-1]
        return Faces(boxes[order], scores[order], landmarks[order])


@compiled("b1[::1](f4[:,::1], f4[::1], f8)")
def _rivals_of(boxes: np.ndarray, box: np.ndarray, least_area: float) -> np.ndarray:
    """bool [N]: which squares have at least this area, or a part within `box` [4]."""
    out = np.empty(len(boxes), np.bool_)
    for n in range(len(boxes)):
        width = min(boxes[n, 2], box[2]) - max(boxes[n, 0], box[0])
        height = min(boxes[n, 3], box[3]) - max(boxes[n, 1], box[1])
        area = (boxes[n, 2] - boxes[n, 0]) ** 2
        out[n] = area >= least_area or (width > 0 and height > 0 and width * height > MAX_APART * area)
    return out
