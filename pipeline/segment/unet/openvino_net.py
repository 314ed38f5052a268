"""Mattes by OpenVINO: converted once, then one thread per process and no torch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.networks.backends import Precision, openvino_properties
from pipeline.networks.compiled_graph import ensure_graph
from pipeline.segment.unet.config import UnetConfig, fingerprint
from pipeline.segment.unet.frame import STRIDE, fit, frame_of, restore

CONVERSION = "2"  # raise it with any change of the exported graph


class OpenvinoNet:
    """A list of photos in, their alphas out; one photo at a time, on one thread.

    A network is compiled on the first use of each of the few input shapes (tenths of a second).
    """

    def __init__(self, graph: Path, size: int, precision: Precision) -> None:
        import openvino

        cv2.setNumThreads(1)
        self.core = openvino.Core()
        self.model = self.core.read_model(graph)
        self.size = size
        self.properties = openvino_properties(precision)
        self.compiled: dict[tuple[int, int], Any] = {}

    def __call__(self, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        """uint8 [H, W, 3] RGB each -> uint8 [H, W] each, in order."""
        return [self._one(photo) for photo in photos]

    def _one(self, photo: np.ndarray) -> np.ndarray:
        frame = frame_of(photo.shape[0], photo.shape[1], self.size)
        request = self.compiled.get(frame.net)
        if request is None:
            request = self.compiled[frame.net] = self._compile(frame.net)
        alpha = request.infer({0: fit(photo, frame)[None]}, share_inputs=True, share_outputs=True)[0][0]
        return restore(alpha, frame).copy()

    def _compile(self, shape: tuple[int, int]) -> Any:
        model = self.model.clone()
        model.reshape([1, *shape, 3])
        return self.core.compile_model(model, "CPU", self.properties).create_infer_request()


def ensure_converted(weights: Path, config: UnetConfig, root: Path) -> Path:
    """The network's OpenVINO graph, below `root/.cache/compiled`; converted by torch if missing.

    Raises:
        UserError: the weights cannot be read, or belong to another network.
    """
    name = f"unet-{fingerprint(weights, config)[:32]}-{CONVERSION}"
    return ensure_graph(name, root, lambda graph: _convert(weights, config, graph))


def _convert(weights: Path, config: UnetConfig, graph: Path) -> None:
    import openvino
    import torch

    from pipeline.segment.unet.fused_decoder import fuse_decoder
    from pipeline.segment.unet.weights import load_net

    net = load_net(weights, config)
    fuse_decoder(net.net, torch.zeros((1, 3, 4 * STRIDE, 3 * STRIDE)))
    example = torch.zeros((1, 4 * STRIDE, 3 * STRIDE, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # tracing is deprecated in torch; tests check every shape
        warnings.simplefilter("ignore")
        model = openvino.convert_model(net, example_input=example)
    openvino.save_model(model, graph, compress_to_fp16=False)
