"""The second and third network of MTCNN over the candidates of one photo."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from pipeline.detect.compiled import compiled
from pipeline.detect.mtcnn import plain
from pipeline.detect.mtcnn.boxes import face_probability, inside, shifted, squared
from pipeline.detect.mtcnn.coroutine import Cascade, Faces, Request
from pipeline.detect.mtcnn.nets import ONET_SIDE, RNET_SIDE
from pipeline.detect.mtcnn.plain import MIN_OVERLAP
from pipeline.detect.mtcnn.pyramid import Pyramid
from pipeline.detect.nms import nms, nms_contained

BATCH = 48  # candidates per call until a face is found: smaller batches cost more
MIN_RIVAL_SIDE = 0.6  # of a face's side: smaller candidates do not grow larger than the face


class Refinement:
    """Runs each network at most once per candidate; can stop when the largest face is found.

    Args:
        thresholds: minimum probability after the second and third network.
        pyramid: of the photo.
        candidates: float32 [N, 9], by falling score, from `boxes.candidates`.
    """

    def __init__(self, thresholds: tuple[float, float], pyramid: Pyramid, candidates: np.ndarray) -> None:
        self.thresholds, self.pyramid = np.array(thresholds, np.float32), pyramid
        boxes = squared(shifted(candidates, candidates[:, 5:], 0))
        visible, self.windows = inside(boxes, pyramid.width, pyramid.height)
        self.boxes = boxes[visible]
        count = len(self.boxes)
        self.pending = np.ones(count, bool)
        self.scores = np.zeros(count, np.float32)  # of the second network; 0 while pending
        self.rnet_outputs = np.zeros((count, 6), np.float32)
        self.onet_outputs: dict[int, np.ndarray] = {}  # of the third network, by candidate

    def all_faces(self) -> Cascade:
        """Every face, the largest first."""
        yield from self._run_rnet(self.pending)
        return (yield from self._faces())

    def largest(self) -> Cascade:
        """The first face of `all_faces`, and perhaps others.

        The likeliest candidates run first. Once a face is found, only candidates that could grow larger or
        overlap it remain: 67 of 88 on photos of one person. The networks may move a box without limit; with
        these constants the face was that of `all_faces` in each of 3,088 comparisons.
        """
        faces = Faces.none()
        for start in range(0, len(self.boxes), BATCH):
            yield from self._run_rnet(slice(start, start + BATCH))
            passed = self.scores > self.thresholds[0]
            if passed.any():  # probably the face: its rivals run before the slow third network
                likely = self.boxes[np.argmax(passed * (self.boxes[:, 2] - self.boxes[:, 0]))]
                yield from self._run_rnet(self._rivals(likely))
                faces = yield from self._faces()
            while len(faces):
                rivals = self._rivals(faces.boxes[0]) & self.pending
                if not rivals.any():
                    return faces
                yield from self._run_rnet(rivals)
                faces = yield from self._faces()
        return faces

    def _rivals(self, box: np.ndarray) -> np.ndarray:
        """bool [N]: candidates that may grow larger than `box` [4], or overlap it."""
        return _rivals_of(self.boxes, box, MIN_RIVAL_SIDE**2 * (box[2] - box[0]) * (box[3] - box[1]))

    def _run_rnet(self, which: np.ndarray | slice) -> Generator[Request, np.ndarray, None]:
        """Runs the second network on the pending ones of these candidates, a slice or bool [N]."""
        selected = np.zeros_like(self.pending)
        selected[which] = True
        (rows,) = np.nonzero(selected & self.pending)
        if len(rows):
            self.pending[rows] = False
            self.rnet_outputs[rows] = yield Request("rnet", self.pyramid.crops(self.windows[rows], RNET_SIDE))
            self.scores[rows] = face_probability(self.rnet_outputs[rows, :2].T)

    def _faces(self) -> Cascade:
        """Faces among the candidates that the second network has seen."""
        (rows,) = np.nonzero(self.scores > self.thresholds[0])
        rows = rows[nms(self.boxes[rows], self.scores[rows], 0.7)]
        boxes = squared(shifted(self.boxes[rows], self.rnet_outputs[rows, 2:6], 1))
        visible, windows = inside(boxes, self.pyramid.width, self.pyramid.height)
        boxes, rows = boxes[visible], rows[visible].tolist()
        if not rows:
            return Faces.none()
        if missing := [i for i, row in enumerate(rows) if row not in self.onet_outputs]:
            outputs = yield Request("onet", self.pyramid.crops(windows[missing], ONET_SIDE))
            self.onet_outputs.update(
                (rows[i], output) for i, output in zip(missing, outputs.copy(), strict=True)
            )
        return self._faces_from_onet(boxes, np.stack([self.onet_outputs[row] for row in rows]))

    def _faces_from_onet(self, boxes: np.ndarray, outputs: np.ndarray) -> Faces:
        """Faces from the outputs of the third network."""
        scores = face_probability(outputs[:, :2].T)
        passed = scores > self.thresholds[1]
        boxes, outputs, scores = boxes[passed], outputs[passed], scores[passed]
        one = np.float32(1)
        size = boxes[:, 2:4] - boxes[:, 0:2] + one
        shares = outputs[:, 6:].reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = size[:, None] * shares + boxes[:, None, 0:2] - one
        boxes = shifted(boxes, outputs[:, 2:6], 1)
        keep = nms_contained(boxes, scores, 0.7)
        boxes, scores, landmarks = boxes[keep], scores[keep], landmarks[keep]
        order = np.argsort((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[::-1]
        return Faces(boxes[order], scores[order], landmarks[order])


@compiled("b1[::1](f4[:,::1], f4[::1], f8)", plain=plain.rivals_of)
def _rivals_of(boxes: np.ndarray, box: np.ndarray, min_area: float) -> np.ndarray:
    """bool [N]: which squares have at least this area, or overlap `box` [4]."""
    out = np.empty(len(boxes), np.bool_)
    for n in range(len(boxes)):
        width = min(boxes[n, 2], box[2]) - max(boxes[n, 0], box[0])
        height = min(boxes[n, 3], box[3]) - max(boxes[n, 1], box[1])
        area = (boxes[n, 2] - boxes[n, 0]) ** 2
        out[n] = area >= min_area or (width > 0 and height > 0 and width * height > MIN_OVERLAP * area)
    return out
