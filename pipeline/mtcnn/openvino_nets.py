"""The networks on OpenVINO, in float32, built from the weights without torch."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset8 as ops

from pipeline.mtcnn.nets import ONET, ONET_SIDE, PNET, RNET, RNET_SIDE, Net, folded_weights, layer_kind

RNET_BATCHES, ONET_BATCHES = (16, 8, 4, 2, 1), (4, 2, 1)
"""Fixed: OpenVINO prepares itself anew for each new shape. Larger ones are slower: no longer in L2."""
HOT = 32  # a level shape that has come so often gets a PNet of its own (25 ms): the same bits, 0.2 ms less
SHAPES = 48  # such PNets kept, five photo sizes; each holds its activations, up to 10 MB
BAND = 48 * 1024  # pixels of a level in one piece; larger ones go through in bands of rows, to stay in L2


class OpenvinoNets:
    """Implements `pipeline.mtcnn.nets.Nets` on the CPU."""

    def __init__(self, threads: int) -> None:
        self.core = ov.Core()
        self.settings = {
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # or several processes are pinned to the same core
            "INFERENCE_PRECISION_HINT": "f32",  # bf16 changes the boxes
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._pnet = self._compiled(PNET, [1, 3, -1, -1])
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._shaped: OrderedDict[tuple[int, ...], ov.InferRequest] = OrderedDict()
        self._rnet = {n: self._compiled(RNET, [n, 3, RNET_SIDE, RNET_SIDE]) for n in RNET_BATCHES}
        self._onet = {n: self._compiled(ONET, [n, 3, ONET_SIDE, ONET_SIDE]) for n in ONET_BATCHES}

    def _compiled(self, net: Net, shape: list[int]) -> ov.InferRequest:
        return self.core.compile_model(graph_of(net, shape), "CPU", self.settings).create_infer_request()

    def pnet(self, level: np.ndarray) -> np.ndarray:
        _, height, width = level.shape
        rows = max(64, BAND // width // 2 * 2)
        if height <= rows + 10:
            return _infer(self._pnet_for(level.shape), level[None])[0]
        # an answer's row r looks at rows 2r … 2r + 11, so that bands overlap by 10
        bands = [level[:, top : top + rows + 10] for top in range(0, height - 10, rows)]
        parts = [
            _infer(self._pnet_for(band.shape), np.ascontiguousarray(band)[None])[0].copy() for band in bands
        ]
        return np.concatenate(parts, axis=1)

    def _pnet_for(self, shape: tuple[int, ...]) -> ov.InferRequest:
        """The network that takes any shape, or one compiled for this shape once it has come often."""
        request = self._shaped.get(shape)
        if request is None:
            self._seen[shape] += 1
            if self._seen[shape] <= HOT:
                return self._pnet
            request = self._shaped[shape] = self._compiled(PNET, [1, *shape])
            if len(self._shaped) > SHAPES:
                forgotten, _ = self._shaped.popitem(last=False)
                del self._seen[forgotten]
        self._shaped.move_to_end(shape)
        return request

    def rnet(self, crops: np.ndarray) -> np.ndarray:
        return _in_batches(self._rnet, crops)

    def onet(self, crops: np.ndarray) -> np.ndarray:
        return _in_batches(self._onet, crops)


def _infer(request: ov.InferRequest, x: np.ndarray) -> np.ndarray:
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))
    request.infer()
    return request.get_output_tensor().data


def _in_batches(requests: dict[int, ov.InferRequest], crops: np.ndarray) -> np.ndarray:
    """Answers [N, K] about crops [N, …], in the largest batches that they fill; the smallest is of one."""
    parts, start = [], 0
    for size, request in requests.items():
        while len(crops) - start >= size:
            parts.append(_infer(request, crops[start : start + size]).copy())
            start += size
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def graph_of(net: Net, shape: list[int]) -> ov.Model:
    """`net` as an OpenVINO model; -1 in `shape` = any size."""
    weights = folded_weights(net)
    image = ops.parameter(ov.PartialShape(shape), ov.Type.f32)
    x: Any = image
    for layer in (*net.body, "heads"):
        layer_type = layer_kind(net.heads[0] if layer == "heads" else layer)
        if layer_type == "pool":
            side = int(layer.removeprefix("pool"))
            x = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [side, side], "ceil").output(0)
        elif layer_type == "prelu":
            x = ops.prelu(x, weights[f"{layer}.weight"])
        elif layer_type == "conv":
            bias = weights[f"{layer}.bias"].reshape(1, -1, 1, 1)
            x = ops.add(ops.convolution(x, weights[f"{layer}.weight"], [1, 1], [0, 0], [0, 0], [1, 1]), bias)
        else:
            flat = ops.reshape(x, np.array([0, -1]), True)
            x = ops.add(ops.matmul(flat, weights[f"{layer}.weight"], False, True), weights[f"{layer}.bias"])
    return ov.Model([x], [image], net.name)  # pyright: ignore[reportGeneralTypeIssues]
