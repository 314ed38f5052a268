"""Mattes by MediaPipe's network on OpenVINO: one thread per process and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline.networks.backends import Precision, openvino_properties
from pipeline.segment.selfie.frame import restore, stretch


class SelfieNet:
    """A list of photos in, their alphas out; one photo at a time, on one thread.

    A photo is stretched to the network's square: with its aspect kept and bars beside it the IoU falls from
    .940 to .884 (docs/decisions.md).
    """

    def __init__(self, graph: Path, precision: Precision) -> None:
        import openvino

        cv2.setNumThreads(1)
        core = openvino.Core()
        model = core.read_model(graph)
        self.height, self.width = (int(side) for side in list(model.input().get_shape())[1:3])
        self.request = core.compile_model(model, "CPU", openvino_properties(precision)).create_infer_request()

    def __call__(self, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        """uint8 [H, W, 3] RGB each -> uint8 [H, W] each, in order."""
        return [self._one(photo) for photo in photos]

    def shares(self, pixels: np.ndarray) -> np.ndarray:
        """The network itself: float32 [h, w, 3] RGB in [0, 1] -> float32 [h, w] in [0, 1]."""
        return self.request.infer({0: pixels[None]}, share_inputs=True, share_outputs=True)[0][0, ..., 0]

    def _one(self, photo: np.ndarray) -> np.ndarray:
        return restore(self.shares(stretch(photo, self.height, self.width)), *photo.shape[:2])
