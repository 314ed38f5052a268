"""faceres on OpenVINO: one face at a time, on one thread."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.faces.alignment import cut_face, square_matrix
from pipeline.faces.numbers import Face, FaceNumbers
from pipeline.networks.backends import openvino_properties

MEAN_BGR = np.array([103.939, 116.779, 123.68], dtype=np.float32)


class FaceresNet:
    """A face in, its numbers out. `graph`: of `ensure_converted`."""

    def __init__(self, graph: Path) -> None:
        import openvino

        cv2.setNumThreads(1)
        core = openvino.Core()
        model = core.read_model(graph)
        self.size = int(list(model.input().get_shape())[1])
        self.request = core.compile_model(model, "CPU", openvino_properties("f32")).create_infer_request()

    def __call__(self, face: Face) -> FaceNumbers:
        cut = cut_face(face.photo, square_matrix(face.box, self.size), self.size)
        male, ages, embedding = self.outputs(cut)
        return FaceNumbers(embedding, male, years(ages))

    def outputs(self, cut: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """The network itself: uint8 [S, S, 3] RGB -> probability of a man, of each year of age [100], and
        features [1024]."""
        pixels = cut[:, :, ::-1].astype(np.float32) - MEAN_BGR
        male, ages, features = self.request.infer({0: pixels[None]}, share_inputs=True).to_tuple()
        return float(male[0, 0]), ages[0].copy(), features[0].copy()


def years(ages: np.ndarray) -> float:
    """The expected age from the probabilities of the years 0 to 99, float32 [100]."""
    return float(ages.astype(np.float64) @ np.arange(len(ages)) / ages.sum())
