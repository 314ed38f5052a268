"""BlazeFace's TFLite file as an OpenVINO graph, and the network on one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.detect.blazeface.anchors import GRIDS, POINTS, anchor_centres
from pipeline.networks.backends import openvino_properties
from pipeline.networks.compiled_graph import ensure_graph
from pipeline.networks.weights import sha256_of
from pipeline.runtime.errors import UserError

CONVERSION = "1"  # raise it with any change of the graph
COLUMNS = 4 + 2 * POINTS  # of the output with boxes and points


class Output(NamedTuple):
    """The network's output for one input, a row per anchor.

    Attributes:
        numbers: float32 [N, 16], of boxes and points, in pixels.
        logits: float32 [N], of a face.
    """

    numbers: np.ndarray
    logits: np.ndarray


def ensure_converted(weights: Path, root: Path) -> Path:
    """The network's OpenVINO graph, below `root/.cache/compiled`; converted if missing.

    Raises:
        UserError: the file is not a TFLite network of this kind.
    """
    name = f"blazeface-{sha256_of(weights)[:32]}-{CONVERSION}"
    return ensure_graph(name, root, lambda graph: _convert(weights, graph))


class Network:
    """Runs a graph of `ensure_converted` on one input at a time.

    Attributes:
        side: of the input in pixels.
    """

    def __init__(self, graph: Path) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(graph)
        self.side = int(model.input().get_shape()[1])
        self._boxes = _position(model, COLUMNS)
        self.request = core.compile_model(model, "CPU", openvino_properties("f32")).create_infer_request()

    def __call__(self, pixels: np.ndarray) -> Output:
        """`pixels`: uint8 [side, side, 3] RGB. The output lasts until the next call."""
        scaled = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
        self.request.infer({0: scaled[None]}, share_inputs=True, share_outputs=True)
        numbers, logits = (self.request.get_output_tensor(i).data[0] for i in (self._boxes, 1 - self._boxes))
        return Output(numbers, logits[:, 0])


def _convert(weights: Path, graph: Path) -> None:
    import openvino
    from openvino.frontend import FrontEndManager

    reader = FrontEndManager().load_by_framework("tflite")
    try:
        model = reader.convert(reader.load(str(weights)))
    except Exception as e:  # RuntimeError, or one of OpenVINO's own
        raise _refusal(weights, str(e).strip().splitlines()[-1]) from e
    known = {f"[1,{side},{side},3]": len(anchor_centres(side)) for side in GRIDS}
    shapes = [str(port.get_partial_shape()) for port in (*model.inputs, *model.outputs)]
    rows = known.get(shapes[0])
    if len(shapes) != 3 or {*shapes[1:]} != {f"[1,{rows},1]", f"[1,{rows},{COLUMNS}]"}:
        raise _refusal(weights, f"a network with the inputs and outputs {', '.join(shapes)}")
    openvino.save_model(model, graph, compress_to_fp16=False)


def _position(model: Any, columns: int) -> int:
    """Which output has so many columns."""
    return next(i for i, port in enumerate(model.outputs) if port.get_shape()[-1] == columns)


def _refusal(weights: Path, got: str) -> UserError:
    return UserError(
        "these weights are not a BlazeFace network",
        where=weights,
        got=got,
        allowed="a TFLite file of MediaPipe's face detection, short or full range",
        fix="set detect.blazeface.weights: face_detection_short_range.tflite",
    )
