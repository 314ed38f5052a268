"""All faces of a photo: frame, network, decoding, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.detect.choice import Faces
from pipeline.detect.nms import nms
from pipeline.detect.retinaface.frame import fill_frame, frame_of
from pipeline.detect.retinaface.network import Output
from pipeline.detect.retinaface.priors import decode_boxes, decode_landmarks, prior_boxes

NMS_IOU = 0.4  # as in biubug6/Pytorch_Retinaface, detect.py


def find_faces(
    network: Callable[[np.ndarray], Output], photo: np.ndarray, min_score: float, max_side: int
) -> Faces:
    """All faces with a score of at least `min_score`.

    Args:
        network: RetinaFace, as `pipeline.detect.retinaface.network.Network`.
        photo: uint8 [H, W, 3] RGB, upright, of any size.
        min_score: 0 to 1.
        max_side: pixels; a photo with a longer side is scaled down to it.
    """
    frame = frame_of(photo.shape[1], photo.shape[0], max_side)
    output = network(fill_frame(photo, frame))
    (rows,) = np.nonzero(output.scores >= min_score)
    priors = prior_boxes(frame.height, frame.width)[rows]
    boxes = decode_boxes(output.offsets[rows], priors)
    scores = output.scores[rows]
    kept = nms(boxes, scores, NMS_IOU)
    marks = decode_landmarks(output.landmarks[rows[kept]], priors[kept])
    corners = frame.to_photo(boxes[kept].reshape(-1, 2, 2)).reshape(-1, 4)
    return Faces(corners, scores[kept], frame.to_photo(marks))
