"""RetinaFace on OpenVINO, in float32, straight from its ONNX file."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.detect.retinaface.frame import MEAN_RGB
from pipeline.networks.backends import openvino_properties
from pipeline.runtime.errors import UserError

MAX_COMPILED_SHAPES = 4  # per process; photos are sorted by size, so few are in use at a time
OUTPUTS = {"loc": 4, "conf": 2, "landmarks": 10}  # names and columns of the ONNX file's outputs


class Output(NamedTuple):
    """The network's output for one input, a row per prior.

    Attributes:
        offsets: float32 [N, 4], of the box.
        scores: float32 [N], probability of a face.
        landmarks: float32 [N, 10], offsets of the five points.
    """

    offsets: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray


class Network:
    """Runs the network on one input at a time.

    Args:
        weights: an ONNX file with the outputs loc, conf and landmarks (yakhyo/retinaface-pytorch).

    Raises:
        UserError: the file is not such a network; names it.
    """

    def __init__(self, weights: Path) -> None:
        import openvino

        self.core = openvino.Core()
        self.model = with_photo_input(read_network(self.core, weights))
        self.properties = openvino_properties("f32")
        self.requests: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, picture: np.ndarray) -> Output:
        """`picture`: uint8 [H, W, 3] RGB; H and W multiples of 32. The output lasts until the next call."""
        import openvino

        request = self._request(picture.shape)
        request.infer([openvino.Tensor(picture[None], shared_memory=True)], share_outputs=True)
        offsets, scores, landmarks = (request.get_tensor(name).data[0] for name in OUTPUTS)
        return Output(offsets, scores[:, 1], landmarks)

    def _request(self, shape: tuple[int, ...]) -> Any:
        """The network for one input shape; keeps the most recent shapes."""
        if shape not in self.requests:
            if len(self.requests) >= MAX_COMPILED_SHAPES:
                self.requests.popitem(last=False)
            model = self.model.clone()
            model.reshape([1, *shape])
            self.requests[shape] = self.core.compile_model(
                model, "CPU", self.properties
            ).create_infer_request()
        self.requests.move_to_end(shape)
        return self.requests[shape]


def read_network(core: Any, weights: Path) -> Any:
    """The network in an ONNX file, as OpenVINO reads it.

    Raises:
        UserError: the file is not a RetinaFace network; names it.
    """
    try:
        model = core.read_model(weights)
    except RuntimeError as e:
        raise _refused(weights, str(e).strip().splitlines()[0]) from e
    outputs = {
        name: output.partial_shape[-1].get_length() if output.partial_shape[-1].is_static else -1
        for output in model.outputs
        for name in output.get_names()
    }
    if len(model.inputs) != 1 or any(outputs.get(name) != columns for name, columns in OUTPUTS.items()):
        raise _refused(weights, f"a network with the outputs {', '.join(sorted(outputs)) or 'none'}")
    return model


def with_photo_input(model: Any) -> Any:
    """`model` with an input uint8 [1, H, W, 3] RGB; it turns it into BGR minus the mean colour itself."""
    from openvino import Layout, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor

    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_color_format(
        ColorFormat.RGB
    )
    steps.input().model().set_layout(Layout("NCHW"))
    steps.input().preprocess().convert_element_type(Type.f32).convert_color(ColorFormat.BGR).mean(
        [float(value) for value in reversed(MEAN_RGB)]
    )
    return steps.build()


def _refused(weights: Path, got: str) -> UserError:
    return UserError(
        "these weights are not a RetinaFace network",
        where=weights,
        got=got,
        allowed=f"an ONNX file with the outputs {', '.join(OUTPUTS)}",
        fix="set detect.retinaface.weights: retinaface_mv1_0.25.onnx",
    )
