"""The TFLite file as an OpenVINO graph.

OpenVINO reads TFLite itself, but for MediaPipe's own operation at the end of this network: a transposed
convolution with a bias. A conversion extension says what that one means.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.networks.compiled_graph import ensure_graph
from pipeline.networks.weights import sha256_of
from pipeline.runtime.errors import UserError

CONVERSION = "2"  # raise it with any change of the graph
OPERATION = "Convolution2DTransposeBias"
INPUT, OUTPUT = 3, 1  # channels: RGB, alpha


def ensure_converted(weights: Path, root: Path) -> Path:
    """The network's OpenVINO graph, below `root/.cache/compiled`; converted if missing.

    float32 [1, h, w, 3] RGB in [0, 1] -> float32 [1, h, w, 1], the person's share of each pixel in [0, 1].

    Raises:
        UserError: the file is not a TFLite network of this kind.
    """
    name = f"selfie-{sha256_of(weights)[:32]}-{CONVERSION}"
    return ensure_graph(name, root, lambda graph: _convert(weights, graph))


def _convert(weights: Path, graph: Path) -> None:
    import openvino
    from openvino.frontend import ConversionExtension, FrontEndManager

    reader = FrontEndManager().load_by_framework("tflite")
    reader.add_extension(ConversionExtension(OPERATION, _transposed_convolution))
    try:
        model = reader.convert(reader.load(str(weights)))
    except Exception as e:  # RuntimeError, or one of OpenVINO's own
        raise _refusal(weights, str(e).strip().splitlines()[-1]) from e
    shapes = [str(port.get_partial_shape()) for port in (*model.inputs, *model.outputs)]
    sides = shapes[0].strip("[]").split(",")[1:3]
    if shapes != [f"[1,{','.join(sides)},{channels}]" for channels in (INPUT, OUTPUT)]:
        raise _refusal(weights, f"a network with the inputs and outputs {', '.join(shapes)}")
    openvino.save_model(model, graph, compress_to_fp16=False)


def _transposed_convolution(node: Any) -> list[Any]:
    """MediaPipe's operation in OpenVINO's: input [N, h, w, C], kernel [K, s, s, C], bias [K] ->
    [N, s h, s w, K].

    The stride is the kernel's side s, so no two pixels of the input reach the same one of the output (so says
    the test against OpenCV's reader, which knows the operation). It is therefore a convolution of 1 x 1 whose
    K s² channels are the places in a square of s x s pixels, which is faster than a transposed one.
    """
    import openvino.opset8 as ops

    pixels, kernel, bias = (node.get_input(i) for i in range(3))
    outputs, side, _, inputs = list(kernel.get_shape())
    channels_first = ops.transpose(pixels, np.array([0, 3, 1, 2]))
    places = ops.reshape(kernel, np.array([outputs * side**2, inputs, 1, 1]), special_zero=False)
    spread = ops.convolution(channels_first, places, [1, 1], [0, 0], [0, 0], [1, 1])
    squares = ops.depth_to_space(spread, "depth_first", side)
    return ops.add(ops.transpose(squares, np.array([0, 2, 3, 1])), bias).outputs()


def _refusal(weights: Path, got: str) -> UserError:
    return UserError(
        "these are not the weights of a selfie segmentation network",
        where=weights,
        got=got,
        allowed="a file NAME.tflite with one input [1, h, w, 3] and one output [1, h, w, 1]",
        fix="set segment.selfie.weights to selfie_segmentation.tflite",
    )
