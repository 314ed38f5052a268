"""Everybody in a photo, by the networks of an export and the pipeline's own steps around them.

The first is the one whom the photo is about, found just as the stage `detect` finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cleanplate.predict.chain import Chain
from cleanplate.predict.runtimes import Network, Runtime, load_network
from pipeline.detect.boxes import FOUND, IMPLAUSIBLE, NOT_RUN, area, clip, iou
from pipeline.detect.choice import worth
from pipeline.detect.mtcnn.cascade import Mtcnn
from pipeline.detect.mtcnn.coroutine import Faces as MtcnnFaces
from pipeline.detect.plausible import contradicted
from pipeline.detect.retinaface import faces as retinaface
from pipeline.detect.retinaface.frame import MEAN_RGB
from pipeline.detect.retinaface.network import Output
from pipeline.detect.yolo.box_branch import BoxBranch
from pipeline.detect.yolo.output import MapOutput
from pipeline.detect.yolo.people import PersonDetector

SAME_FACE = 0.3  # IoU from which two boxes of MTCNN's two passes are one face
MEAN_BGR = np.array(MEAN_RGB[::-1], np.float32)


class Found(NamedTuple):
    """A box float32 [4] `xyxy`, clipped to the photo, the detector's score, and its status."""

    box: np.ndarray
    score: float
    status: str


Detect = Callable[[np.ndarray, int | None, bool], list[Found]]
"""(uint8 [H, W, 3] RGB, at most so many people or None for all, also small faces beside a large one) -> the
people, the main one first."""


def load_detector(chain: Chain, runtime: Runtime) -> Detect:
    """The detector of an export."""
    step, loaded = chain.detect, {}
    for name in step["networks"]:
        loaded[name] = load_network(
            chain.folder, name, runtime, fixed_shapes=name in ("retinaface", "yolov8")
        )
    if step["method"] == "mtcnn":
        return _mtcnn(step, loaded)
    if step["method"] == "retinaface":
        return _retinaface(step, loaded["retinaface"])
    if step["method"] == "yolov8":
        return _yolov8(step, loaded["yolov8"], BoxBranch.load(chain.folder / "yolov8_boxes.npz"))
    return _whole_photo


def _whole_photo(photo: np.ndarray, most: int | None, small: bool) -> list[Found]:
    height, width = photo.shape[:2]
    return [Found(np.array([0, 0, width, height], np.float32), float("nan"), NOT_RUN)]


class _MtcnnNets:
    """`pipeline.detect.mtcnn.nets.Nets` on the networks of an export."""

    def __init__(self, networks: dict[str, Network]) -> None:
        self.networks = networks

    def pnet(self, levels: np.ndarray) -> np.ndarray:
        return self.networks["pnet"](levels.transpose(0, 2, 3, 1))[0]

    def rnet(self, crops: np.ndarray) -> np.ndarray:
        return self.networks["rnet"](crops)[0]

    def onet(self, crops: np.ndarray) -> np.ndarray:
        return self.networks["onet"](crops)[0]


def _mtcnn(step: dict[str, Any], networks: dict[str, Network]) -> Detect:
    """The largest face as the stage takes it, then all others, which the stage never looks for."""
    first, second, third = (float(value) for value in step["thresholds"])

    def cascade(adaptive: bool) -> Mtcnn:
        return Mtcnn(
            adaptive=adaptive,
            min_face=int(step["min_face"]),
            thresholds=(first, second, third),
            factor=float(step["factor"]),
            nets=_MtcnnNets(networks),
        )

    main, everybody = cascade(bool(step["adaptive"])), cascade(False)

    def detect(photo: np.ndarray, most: int | None, small: bool) -> list[Found]:
        if not small:
            faces = main.detect(photo)
            return _listed(photo, faces.boxes, faces.scores, faces.landmarks, most)
        largest = main.detect_largest(photo)
        if largest is None:
            return []
        faces = MtcnnFaces(largest.box[None], np.array([largest.score]), largest.landmarks[None])
        if most != 1:
            others = everybody.detect(photo)
            new = iou(others.boxes, largest.box[None]) < SAME_FACE
            faces = MtcnnFaces(
                np.concatenate([faces.boxes, others.boxes[new]]),
                np.concatenate([faces.scores, others.scores[new]]),
                np.concatenate([faces.landmarks, others.landmarks[new]]),
            )
        return _listed(photo, faces.boxes, faces.scores, faces.landmarks, most)

    return detect


def _retinaface(step: dict[str, Any], network: Network) -> Detect:
    def run(picture: np.ndarray) -> Output:
        pixels = picture[..., ::-1].astype(np.float32) - MEAN_BGR
        offsets, scores, landmarks = network(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None])
        return Output(offsets[0], scores[0, :, 1], landmarks[0])

    score, max_side = float(step["score"]), int(step["max_side"])

    def detect(photo: np.ndarray, most: int | None, small: bool) -> list[Found]:
        faces = retinaface.find_faces(run, photo, score, max_side)
        boxes = clip(faces.boxes, photo.shape[1], photo.shape[0])
        order = _by_worth(boxes, faces.scores, photo)
        return _listed(photo, boxes[order], faces.scores[order], faces.landmarks[order], most)

    return detect


class _YoloEngine:
    """`pipeline.detect.yolo.output.Engine` on the network of an export."""

    runs_together = False

    def __init__(self, network: Network, boxes: BoxBranch) -> None:
        self.network, self.boxes = network, boxes

    def __call__(self, frames: np.ndarray) -> MapOutput:
        logits, *maps = self.network(frames)
        return MapOutput(logits, maps)


def _yolov8(step: dict[str, Any], network: Network, branch: BoxBranch) -> Detect:
    detector = PersonDetector(_YoloEngine(network, branch), float(step["confidence"]))

    def detect(photo: np.ndarray, most: int | None, small: bool) -> list[Found]:
        people = detector.people(photo)
        order = _by_worth(people.boxes, people.scores, photo)
        return _listed(photo, people.boxes[order], people.scores[order], None, most)

    return detect


def _by_worth(boxes: np.ndarray, scores: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Indices of boxes by falling worth; the first is `pipeline.detect.choice.choose`'s."""
    return np.argsort(-worth(boxes, scores, photo.shape[1], photo.shape[0]), kind="stable")


def _listed(
    photo: np.ndarray, boxes: np.ndarray, scores: np.ndarray, landmarks: np.ndarray | None, most: int | None
) -> list[Found]:
    """The boxes that are not empty inside the photo, in order, at most `most`."""
    boxes = clip(boxes, photo.shape[1], photo.shape[0])
    wrong = np.zeros(len(boxes), bool) if landmarks is None else contradicted(boxes, landmarks)
    (rows,) = np.nonzero(area(boxes) > 0)
    return [
        Found(boxes[i], float(scores[i]), IMPLAUSIBLE if wrong[i] else FOUND) for i in rows[:most].tolist()
    ]
