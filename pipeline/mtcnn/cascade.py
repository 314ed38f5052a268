"""MTCNN as facenet-pytorch runs it by default, several times as fast, with the same boxes.

The library sums the photo's pixels anew for each pyramid level and each crop, and runs its networks eagerly.
Here one integral image feeds all of them (`pyramid`), the networks run compiled (`nets`), and with `adaptive`
the fine levels, which cost most of the time, run only where no large face was found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.mtcnn import weights
from pipeline.mtcnn.boxes import (
    candidates,
    crop_windows,
    face_probability,
    nms,
    nms_contained,
    shifted,
    squared,
)
from pipeline.mtcnn.faces import Face, Faces
from pipeline.mtcnn.nets import ONET_SIDE, RNET_SIDE, Backend, load_nets
from pipeline.mtcnn.pyramid import Pyramid

VERSION = "1"
"""Of the whole pass: a part of cache keys. To be raised with any change that can change a box."""
FINE_LEVELS = 3
"""Levels that `adaptive` leaves out at first. The others keep their scales: others would change boxes."""


def WEIGHTS_SHA256() -> str:
    """sha256 over the weights of the three networks."""
    return weights.weights_sha256()


class Mtcnn:
    """Finds faces.

    Args:
        backend: "openvino" (CPU) or "torch".
        adaptive: look for large faces first, and for small ones only where the largest is below
            `min_face / factor**4` (79 px by default). The largest face is the same; with a large face in the
            photo, small ones may be left out.
        threads: of one photo's networks (OpenVINO). N processes of 1 thread are faster than 1 of N.
        device: torch device.
        min_face: least side of a face, in pixels.
        thresholds: least probability after each of the three networks.
        factor: ratio of pyramid levels.
    """

    def __init__(
        self,
        *,
        backend: Backend = "openvino",
        adaptive: bool = True,
        threads: int = 1,
        device: str = "cpu",
        min_face: int = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
    ) -> None:
        self.nets = load_nets(backend, threads, device)
        self.adaptive, self.min_face, self.thresholds, self.factor = adaptive, min_face, thresholds, factor
        self.large = min_face / factor ** (FINE_LEVELS + 1)

    def best(self, image: np.ndarray) -> Face | None:
        """The face that `facenet_pytorch.MTCNN()` picks by default: the largest, or None. As `detect`."""
        faces = self.detect(image)
        return faces[0] if len(faces) else None

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[Faces]:
        """`detect` of each photo; photos may differ in size, and none changes another's result."""
        return [self.detect(image) for image in images]

    def detect(self, image: np.ndarray) -> Faces:
        """All faces, the largest first.

        Args:
            image: uint8 [H, W, 3], RGB, of any size; below `min_face` there is no face.
        """
        height, width = image.shape[:2]
        scales = self._scales(min(height, width))
        if not scales:
            return Faces.none()
        pyramid = Pyramid(image)
        coarse = [self._level(pyramid, scale) for scale in scales[FINE_LEVELS:]] if self.adaptive else []
        if coarse:
            faces = self._refined(pyramid, coarse)
            if len(faces) and _side(faces.boxes[0]) >= self.large:
                return faces
        missing = scales[: len(scales) - len(coarse)]
        return self._refined(pyramid, [self._level(pyramid, scale) for scale in missing] + coarse)

    def _scales(self, side: int) -> list[float]:
        """Level pixels per photo pixel, finest first: a 12-pixel cell covers 20, 28, 40, 56, 79 … pixels."""
        scale = 12.0 / self.min_face
        left, scales = side * scale, []
        while left >= 12:
            scales.append(scale)
            scale, left = scale * self.factor, left * self.factor
        return scales

    def _level(self, pyramid: Pyramid, scale: float) -> np.ndarray:
        """Candidates of one level, float32 [N, 9] as `candidates` gives them."""
        level = pyramid.level(int(pyramid.height * scale + 1), int(pyramid.width * scale + 1))
        found = candidates(self.nets.pnet(level), scale, self.thresholds[0])
        return found[nms(found, found[:, 4], 0.5)] if len(found) > 1 else found

    def _refined(self, pyramid: Pyramid, levels: list[np.ndarray]) -> Faces:
        """Faces out of the candidates of some levels: the second and third networks."""
        found = np.concatenate(levels)
        found = found[nms(found, found[:, 4], 0.7)]
        boxes, answers, scores = self._second(pyramid, squared(shifted(found, found[:, 5:], 0)))
        keep = nms(boxes, scores, 0.7)
        return self._third(pyramid, squared(shifted(boxes[keep], answers[keep, 2:6], 1)))

    def _second(self, pyramid: Pyramid, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        boxes, windows = _inside(boxes, pyramid)
        if not len(boxes):
            return boxes, np.zeros((0, 6), np.float32), np.zeros(0, np.float32)
        answers = self.nets.rnet(pyramid.crops(windows, RNET_SIDE))
        scores = face_probability(answers[:, :2].T)
        passed = scores > np.float32(self.thresholds[1])
        return boxes[passed], answers[passed], scores[passed]

    def _third(self, pyramid: Pyramid, boxes: np.ndarray) -> Faces:
        boxes, windows = _inside(boxes, pyramid)
        if not len(boxes):
            return Faces.none()
        answers = self.nets.onet(pyramid.crops(windows, ONET_SIDE))
        scores = face_probability(answers[:, :2].T)
        passed = scores > np.float32(self.thresholds[2])
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


def _inside(boxes: np.ndarray, pyramid: Pyramid) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of which something lies in the photo, and their crop windows."""
    windows = crop_windows(boxes, pyramid.width, pyramid.height)
    some = (windows[:, 2] > windows[:, 0]) & (windows[:, 3] > windows[:, 1])
    return boxes[some], windows[some]


def _side(box: np.ndarray) -> float:
    return float(np.sqrt(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)))
