"""People in photos: letterbox, network, boxes, non-maximum suppression, and whom the photo is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.detect.boxes import Detection, clip, iou
from pipeline.detect.choice import choose, worth
from pipeline.detect.yolo.letterbox import Letterbox, fill_letterbox, letterbox_of
from pipeline.detect.yolo.output import Engine, NetOutput

NMS_IOU = 0.7  # ultralytics' default
MAX_ANCHORS = 128  # of those that pass the threshold, the surest

# Within these margins float32 decides instead of bf16: 9 % of photos. Of 290 real photos bf16 alone got 8
# wrong, by at most 0.02 between two boxes and 0.21 at the threshold (logits); with these margins none.
RIVAL_MARGIN = 0.1  # logit below the best box, within which another box is a rival
RIVAL_WORTH = 0.8  # of the best person's worth, from which another person is a rival
SAME_BOX_IOU = 0.95  # IoU from which two boxes count as one
THRESHOLD_MARGIN = 0.25  # logit, distance of the best box from the threshold


class People(NamedTuple):
    """The N people in a photo, by falling logit; N may be 0.

    Attributes:
        boxes: float32 [N, 4], `xyxy`, pixels of the photo, clipped to it.
        scores: float64 [N], 0 to 1.
        candidates: float32 [M, 4], the boxes of all anchors over the threshold.
        logits: float32 [M], of `candidates`, before the sigmoid.
        rows: int [N], which of `candidates` the people are.
    """

    boxes: np.ndarray
    scores: np.ndarray
    candidates: np.ndarray
    logits: np.ndarray
    rows: np.ndarray


class PersonDetector:
    """The person that each photo is about, by `pipeline.detect.choice`, of those left by suppression.

    Unlike in ultralytics' `predict`, an anchor counts as a person even where another class scores higher.

    Args:
        engine: runs the network.
        confidence: the minimum score of a detection.
        precise: decides instead where the network is too coarse (bf16).
    """

    def __init__(self, engine: Engine, confidence: float, precise: PersonDetector | None = None) -> None:
        from pipeline.detect.nms import nms  # late: numba takes 2 s, which a run from the cache does not need

        self.suppress = nms
        self.engine = engine
        self.min_logit = float(np.log(confidence / (1 - confidence)))  # before the sigmoid
        self.precise = precise

    def __call__(self, photos: Sequence[np.ndarray]) -> list[Detection | None]:
        """Photos uint8 [H, W, 3] RGB; those of one letterbox go through the network together."""
        results: list[Detection | None] = [None] * len(photos)
        frames = [letterbox_of(photo.shape[1], photo.shape[0]) for photo in photos]
        shapes: dict[tuple[int, int], list[int]] = {}
        for i, frame in enumerate(frames):
            shapes.setdefault((frame.height, frame.width), []).append(i)
        for group in shapes.values():
            for batch in self._batches(group):
                output = self.engine(np.stack([fill_letterbox(photos[i], frames[i]) for i in batch]))
                for n, i in enumerate(batch):
                    results[i] = self._best(output, n, frames[i], photos[i])
        return results

    def _batches(self, group: list[int]) -> list[list[int]]:
        """One photo at a time on a CPU, so that it stays in the caches; all at once on a GPU."""
        return [group] if self.engine.runs_together else [[i] for i in group]

    def people(self, photo: np.ndarray) -> People:
        """Everybody in a photo, uint8 [H, W, 3] RGB."""
        frame = letterbox_of(photo.shape[1], photo.shape[0])
        output = self.engine(fill_letterbox(photo, frame)[None])
        return self._people(output, 0, frame, photo.shape[1], photo.shape[0])

    def _best(self, output: NetOutput, n: int, frame: Letterbox, photo: np.ndarray) -> Detection | None:
        height, width = photo.shape[:2]
        if self.precise and abs(float(output.logits[n].max()) - self.min_logit) < THRESHOLD_MARGIN:
            return self.precise([photo])[0]
        found = self._people(output, n, frame, width, height)
        if not len(found.boxes):
            return None
        best = choose(found.boxes, found.scores, width, height)
        if self.precise and self._is_close(found, best, photo):
            return self.precise([photo])[0]
        return Detection(found.boxes[best], float(found.scores[best]))

    def _people(self, output: NetOutput, n: int, frame: Letterbox, width: int, height: int) -> People:
        """The people in photo `n` of an output, a photo of width x height pixels."""
        logits = output.logits[n]
        anchors = np.flatnonzero(logits >= self.min_logit)
        anchors = anchors[np.argsort(-logits[anchors], kind="stable")][:MAX_ANCHORS]
        boxes = clip(self._boxes(output, n, anchors, frame), width, height)
        rows = self.suppress(boxes, logits[anchors], NMS_IOU)
        scores = 1 / (1 + np.exp(-logits[anchors[rows]].astype(np.float64)))
        return People(boxes[rows], scores, boxes, logits[anchors], rows)

    def _is_close(self, found: People, best: int, photo: np.ndarray) -> bool:
        """Whether another person, or another box of the best one, nearly won."""
        worths = worth(found.boxes, found.scores, photo.shape[1], photo.shape[0])
        if (np.delete(worths, best) >= RIVAL_WORTH * worths[best]).any():
            return True
        overlaps = iou(found.candidates, found.boxes[best][None])
        own = (overlaps > NMS_IOU / 2) & (found.logits >= found.logits[found.rows[best]] - RIVAL_MARGIN)
        return bool(overlaps[own].min(initial=1.0) < SAME_BOX_IOU)

    def _boxes(self, output: NetOutput, n: int, anchors: np.ndarray, frame: Letterbox) -> np.ndarray:
        """Boxes of some anchors in pixels of the photo, float32 [K, 4], not clipped."""
        branch = self.engine.boxes
        cells = np.array([branch.locate(int(a), frame.height, frame.width) for a in anchors]).reshape(-1, 3)
        boxes = np.empty((len(anchors), 4), dtype=np.float32)
        for level in np.unique(cells[:, 0]):
            in_level = np.flatnonzero(cells[:, 0] == level)
            patches = [
                output.patch(n, int(level), int(row), int(column)) for _, row, column in cells[in_level]
            ]
            features, inside = (np.stack(parts) for parts in zip(*patches, strict=True))
            boxes[in_level] = branch.decode(int(level), features, inside, cells[in_level, 1:])
        return frame.to_photo(boxes)
