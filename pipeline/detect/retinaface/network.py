"""RetinaFace on OpenVINO, in float32, from its ONNX file, in two steps: large faces, then small ones."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.detect.retinaface.frame import MEAN_RGB
from pipeline.detect.retinaface.levels import split_levels
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

    Its pyramid is computed from the coarsest level down, and the finest level (stride 8, priors of 16 and 32
    pixels) takes half of the time. A caller who found a large face need not ask for it.

    Args:
        weights: an ONNX file with the outputs loc, conf and landmarks (yakhyo/retinaface-pytorch).

    Raises:
        UserError: the file is not such a network; names it.
    """

    def __init__(self, weights: Path) -> None:
        import openvino

        self.core = openvino.Core()
        try:
            coarse, fine = split_levels(read_network(self.core, weights), tuple(OUTPUTS))
            self.parts = _channels_last(_take_rgb(coarse), fine)
        except ValueError as e:
            raise _refused(weights, str(e)) from e
        self.properties = openvino_properties("f32")
        self.requests: OrderedDict[tuple[int, ...], tuple[Any, Any]] = OrderedDict()

    def __call__(self, picture: np.ndarray) -> Output:
        """`picture`: uint8 [H, W, 3] RGB; H and W multiples of 32. A row per prior of all levels."""
        coarse = self.find_large(picture)
        return join(self.find_small(picture.shape), coarse)

    def find_large(self, picture: np.ndarray) -> Output:
        """As a call, but only the priors of 64 pixels and more."""
        import openvino

        coarse, _ = self._requests(picture.shape)
        height, width, _ = picture.shape
        # whole rows at once: numpy takes seven times as long over the channels of each pixel
        row = np.tile(np.array(MEAN_RGB, dtype=np.float32), width)
        pixels = np.subtract(picture.reshape(height, -1), row, dtype=np.float32).reshape(1, height, width, 3)
        coarse.infer([openvino.Tensor(pixels, shared_memory=True)], share_outputs=True)
        return _output_of(coarse)

    def find_small(self, shape: tuple[int, ...]) -> Output:
        """The priors below 64 pixels, of the picture that `find_large` saw last, of this shape."""
        coarse, fine = self._requests(shape)
        for i in range(len(fine.model_inputs)):
            fine.set_input_tensor(i, coarse.get_output_tensor(len(OUTPUTS) + i))
        fine.infer(share_outputs=True)
        return _output_of(fine)

    def _requests(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Both parts of the network for one input shape; keeps the most recent shapes."""
        if shape not in self.requests:
            if len(self.requests) >= MAX_COMPILED_SHAPES:
                self.requests.popitem(last=False)
            coarse, fine = (part.clone() for part in self.parts)
            coarse.reshape([1, *shape])
            shapes = [output.partial_shape for output in coarse.outputs[len(OUTPUTS) :]]
            fine.reshape(dict(zip(range(len(shapes)), shapes, strict=True)))
            self.requests[shape] = (self._compile(coarse), self._compile(fine))
        self.requests.move_to_end(shape)
        return self.requests[shape]

    def _compile(self, model: Any) -> Any:
        return self.core.compile_model(model, "CPU", self.properties).create_infer_request()


def _output_of(request: Any) -> Output:
    offsets, scores, landmarks = (request.get_output_tensor(i).data[0] for i in range(len(OUTPUTS)))
    return Output(offsets, scores[:, 1], landmarks)


def join(small: Output, large: Output) -> Output:
    """The rows of both, in the order of `prior_boxes`; a copy."""
    return Output(*(np.concatenate(parts) for parts in zip(small, large, strict=True)))


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


def _take_rgb(model: Any) -> Any:
    """`model`, which takes BGR, with the channels of its first convolution reversed.

    Raises:
        ValueError: it does not begin with a convolution.
    """
    from openvino import opset8 as ops

    (reader,) = model.input().get_target_inputs()
    kernel = reader.get_node().input_value(1).get_node()
    if reader.get_node().get_type_name() != "Convolution" or kernel.get_type_name() != "Constant":
        raise ValueError("a network that does not begin with a convolution")
    reversed_kernel = ops.constant(np.ascontiguousarray(kernel.get_data()[:, ::-1]))
    reader.get_node().input(1).replace_source_output(reversed_kernel.output(0))
    return model


def _channels_last(coarse: Any, fine: Any) -> tuple[Any, Any]:
    """Both parts with pictures, and what they hand over, as [N, H, W, C].

    So the convolutions keep them: in the other order OpenVINO copies each at the border.
    """
    from openvino import Layout
    from openvino.preprocess import PrePostProcessor

    last, first = Layout("NHWC"), Layout("NCHW")
    steps = PrePostProcessor(coarse)
    steps.input().tensor().set_layout(last)
    steps.input().model().set_layout(first)
    for i in range(len(OUTPUTS), len(coarse.outputs)):
        steps.output(i).model().set_layout(first)
        steps.output(i).tensor().set_layout(last)
    more_steps = PrePostProcessor(fine)
    for i in range(len(fine.inputs)):
        more_steps.input(i).tensor().set_layout(last)
        more_steps.input(i).model().set_layout(first)
    return steps.build(), more_steps.build()


def _refused(weights: Path, got: str) -> UserError:
    return UserError(
        "these weights are not a RetinaFace network",
        where=weights,
        got=got,
        allowed=f"an ONNX file with the outputs {', '.join(OUTPUTS)}",
        fix="set detect.retinaface.weights: retinaface_mv1_0.25.onnx",
    )
