"""The anchors of BlazeFace, and what the network's numbers make of them.

Source: google-ai-edge/mediapipe v0.10.14, mediapipe/calculators/tflite/ssd_anchors_calculator.cc and
mediapipe/calculators/tensor/tensors_to_detections_calculator.cc, with the options of
mediapipe/modules/face_detection/face_detection_short_range.pbtxt and face_detection_full_range.pbtxt. There
all anchors have the size 1 (`fixed_anchor_size`), so only their centres matter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

# Side of the input -> (stride in pixels, anchors at each cell) in the order of the network's rows. Layers of
# one stride are one grid: short range has a layer of stride 8 and three of 16, with two anchors each.
GRIDS = {128: ((8, 2), (16, 6)), 192: ((4, 1),)}
POINTS = 6  # left eye, right eye, tip of the nose, middle of the mouth, and two ears
MAX_LOGIT = 100.0  # `score_clipping_thresh`
MOUTH_WIDTH = 0.892  # distance of the corners of dlib's mean mouth in distances of its eyes


class Decoded(NamedTuple):
    """N candidates, in pixels of the network's input.

    Attributes:
        boxes: float32 [N, 4], `xyxy`; may reach outside.
        landmarks: float32 [N, 5, 2], x, y of left eye, right eye, nose, left and right corner of the mouth;
            left is the viewer's left.
    """

    boxes: np.ndarray
    landmarks: np.ndarray


@lru_cache
def anchor_centres(side: int) -> np.ndarray:
    """Centres of the anchors of an input of `side` pixels, a key of GRIDS.

    Returns:
        float32 [N, 2], x and y in pixels, in the order of the network's rows. Read-only.
    """
    levels: list[np.ndarray] = []
    for stride, count in GRIDS[side]:
        line = (np.arange(-(-side // stride)) + 0.5) * stride
        y, x, _ = np.meshgrid(line, line, np.arange(count), indexing="ij")
        levels.append(np.stack([x, y], axis=-1).reshape(-1, 2))
    centres = np.concatenate(levels).astype(np.float32)
    centres.flags.writeable = False
    return centres


def scores_of(logits: np.ndarray) -> np.ndarray:
    """float32 [N] in [0, 1]: the sigmoid of float32 [N], cut off at +-100 as MediaPipe does."""
    return (1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -MAX_LOGIT, MAX_LOGIT)))).astype(np.float32)


def decode(numbers: np.ndarray, centres: np.ndarray) -> Decoded:
    """Boxes and landmarks of the network's rows, float32 [N, 16], at their anchors [N, 2], all in pixels.

    A row is x, y of the box's centre and its width and height, then x, y of six points; positions are
    relative to the anchor's centre. The network knows the middle of the mouth only: its corners are put
    beside it, parallel to the eyes, as far apart as in dlib's mean face.
    """
    middle, half = centres + numbers[:, :2], numbers[:, 2:4] / 2
    points = centres[:, None] + numbers[:, 4:].reshape(-1, POINTS, 2)
    left, right, nose, mouth = (points[:, i] for i in range(4))
    across = (right - left) * np.float32(MOUTH_WIDTH / 2)
    marks = np.stack([left, right, nose, mouth - across, mouth + across], axis=1)
    return Decoded(np.concatenate([middle - half, middle + half], axis=1), marks)
