"""All faces of a photo: frame, network, decoding, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.detect.boxes import Detection, area
from pipeline.detect.choice import Faces, best_face, worth
from pipeline.detect.nms import nms
from pipeline.detect.retinaface.frame import Frame, fill_frame, frame_of
from pipeline.detect.retinaface.network import Network, Output, join
from pipeline.detect.retinaface.priors import decode_boxes, decode_landmarks, prior_boxes

NMS_IOU = 0.4  # as in biubug6/Pytorch_Retinaface, detect.py
MAX_SMALL = 56  # pixels of the input, root of the area: no box of the finest level's priors is larger


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
    return _decode(output, prior_boxes(frame.height, frame.width), frame, min_score)


def find_best_face(network: Network, photo: np.ndarray, min_score: float, max_side: int) -> Detection | None:
    """The face that the photo is about: the `best_face` of `find_faces`, in half the time if it is large.

    No prior of the finest level becomes a box of `MAX_SMALL` pixels (the largest of 2,983 boxes with a score
    of .3 and more had 54.3). So a face that outweighs any such box, however sure and central, and is too
    large for one to suppress it, is the best of all.

    Args:
        network, photo, min_score, max_side: as `find_faces` takes them.
    """
    height, width = photo.shape[:2]
    frame = frame_of(width, height, max_side)
    picture, priors = fill_frame(photo, frame), prior_boxes(frame.height, frame.width)
    large = network.find_large(picture)
    best = best_face(_decode(large, priors[-len(large.scores) :], frame, min_score), width, height)
    small = MAX_SMALL**2 / float(np.prod(frame.scale))  # in the photo's pixels
    if best and area(best.box) > small / NMS_IOU:
        (value,) = worth(best.box[None], np.array([best.score]), width, height)
        if value >= small / (width * height):
            return best
    every = join(network.find_small(picture.shape), large)
    return best_face(_decode(every, priors, frame, min_score), width, height)


def _decode(output: Output, priors: np.ndarray, frame: Frame, min_score: float) -> Faces:
    """The faces in the network's output for these priors, in pixels of the photo."""
    (rows,) = np.nonzero(output.scores >= min_score)
    priors = priors[rows]
    boxes = decode_boxes(output.offsets[rows], priors)
    scores = output.scores[rows]
    kept = nms(boxes, scores, NMS_IOU)
    marks = decode_landmarks(output.landmarks[rows[kept]], priors[kept])
    corners = frame.to_photo(boxes[kept].reshape(-1, 2, 2)).reshape(-1, 4)
    return Faces(corners, scores[kept], frame.to_photo(marks))
