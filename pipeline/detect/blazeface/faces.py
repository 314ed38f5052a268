"""All faces of a photo: frame, network, decoding, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.detect.blazeface.anchors import anchor_centres, decode, scores_of
from pipeline.detect.blazeface.frame import frame_of
from pipeline.detect.blazeface.network import Output
from pipeline.detect.choice import Faces
from pipeline.detect.nms import nms

NMS_IOU = 0.3  # `min_suppression_threshold` of MediaPipe's face_detection.pbtxt


def find_faces(
    network: Callable[[np.ndarray], Output], photo: np.ndarray, side: int, min_score: float
) -> Faces:
    """All faces with a score of at least `min_score`.

    Args:
        network: BlazeFace, as `pipeline.detect.blazeface.network.Network`.
        photo: uint8 [H, W, 3] RGB, upright, of any size.
        side: of the network's input in pixels.
        min_score: 0 to 1.
    """
    frame = frame_of(photo, side)
    output = network(frame.pixels)
    scores = scores_of(output.logits)
    (rows,) = np.nonzero(scores >= min_score)
    found, scores = decode(output.numbers[rows], anchor_centres(side)[rows]), scores[rows]
    kept = nms(found.boxes, scores, NMS_IOU)
    corners = frame.to_photo(found.boxes[kept].reshape(-1, 2, 2)).reshape(-1, 4)
    return Faces(corners, scores[kept], frame.to_photo(found.landmarks[kept]))
