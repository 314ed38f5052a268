"""The networks on OpenVINO, in float32, built from the weights without torch."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset8 as ops

from pipeline.detect.mtcnn.conv1 import first_layer
from pipeline.detect.mtcnn.nets import ONET, PNET, RNET, Net, Weights, layer_kind

RNET_MAX_BATCH, ONET_MAX_BATCH = 24, 8
"""Crops that a network sees at once. A call costs as much as three crops (the weights come from L3), and more
crops no longer stay in L2. Each number has a network of its own, compiled when it first comes (50 ms): one
for any number is a quarter slower, and what is said about a crop must not depend on the photos before."""
COMPILE_AFTER = (
    32  # a level shape that has come so often gets a PNet of its own (25 ms): the same bits, 0.2 ms less
)
SHAPES = 48  # such PNets kept, five photo sizes; each holds its activations, up to 10 MB
MAX_COUNTED_SHAPES = 4096  # level shapes counted, after which counting begins anew
BAND = 12 * 1024  # places that PNet looks at in one piece; more go through in bands of rows, to stay in L2
PNET_REST = replace(PNET, body=PNET.body[3:])  # without what `first_layer` does


class OpenvinoNets:
    """Implements `pipeline.detect.mtcnn.nets.Nets` on the CPU."""

    def __init__(self, weights: dict[str, Weights], threads: int) -> None:
        self.weights = weights
        self.core = ov.Core()
        self.settings = {
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # or several processes are pinned to the same core
            "INFERENCE_PRECISION_HINT": "f32",  # bf16 changes the boxes
            "PERFORMANCE_HINT": "LATENCY",
        }
        pnet = weights[PNET.name]
        self.first = (pnet["conv1.weight"], pnet["conv1.bias"], pnet["prelu1.weight"].copy())
        self._pnet = self._compiled(PNET_REST, [1, -1, -1, len(self.first[0])])
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._shaped: OrderedDict[tuple[int, ...], ov.InferRequest] = OrderedDict()
        self._batched: dict[tuple[str, int], ov.InferRequest] = {}

    def _compiled(self, net: Net, shape: list[int]) -> ov.InferRequest:
        graph = graph_of(net, self.weights[net.name], shape)
        return self.core.compile_model(graph, "CPU", self.settings).create_infer_request()

    def pnet(self, levels: np.ndarray) -> np.ndarray:
        if len(levels) == 1:
            return self._level(levels[0])[None]
        return np.stack([self._level(level).copy() for level in levels])

    def _level(self, level: np.ndarray) -> np.ndarray:
        found = first_layer(level, *self.first)
        rows = max(32, BAND // found.shape[1])
        if len(found) <= rows + 4:
            return _infer(self._pnet_for(found.shape), found[None])[0]
        # an answer's row r looks at rows r … r + 4, so that bands overlap by 4
        bands = [found[top : top + rows + 4] for top in range(0, len(found) - 4, rows)]
        return np.concatenate([_infer(self._pnet_for(band.shape), band[None])[0].copy() for band in bands])

    def _pnet_for(self, shape: tuple[int, ...]) -> ov.InferRequest:
        """The network that takes any shape, or one compiled for this shape once it has come often."""
        request = self._shaped.get(shape)
        if request is None:
            if len(self._seen) > MAX_COUNTED_SHAPES:
                self._seen.clear()
            self._seen[shape] += 1
            if self._seen[shape] <= COMPILE_AFTER:
                return self._pnet
            request = self._shaped[shape] = self._compiled(PNET_REST, [1, *shape])
            if len(self._shaped) > SHAPES:
                forgotten, _ = self._shaped.popitem(last=False)
                del self._seen[forgotten]
        self._shaped.move_to_end(shape)
        return request

    def rnet(self, crops: np.ndarray) -> np.ndarray:
        return self._in_batches(RNET, crops, RNET_MAX_BATCH)

    def onet(self, crops: np.ndarray) -> np.ndarray:
        return self._in_batches(ONET, crops, ONET_MAX_BATCH)

    def _in_batches(self, net: Net, crops: np.ndarray, most: int) -> np.ndarray:
        """Answers [N, K] about crops [N, …], in batches of nearly the same size."""
        count = -(-len(crops) // most)
        ends = [len(crops) * i // count for i in range(count + 1)]
        parts = [crops[start:end] for start, end in pairwise(ends)]
        return np.concatenate([_infer(self._request(net, part.shape), part).copy() for part in parts])

    def _request(self, net: Net, shape: tuple[int, ...]) -> ov.InferRequest:
        """The network for batches of this shape."""
        request = self._batched.get((net.name, shape[0]))
        if request is None:
            request = self._batched[net.name, shape[0]] = self._compiled(net, [*shape])
        return request


def _infer(request: ov.InferRequest, x: np.ndarray) -> np.ndarray:
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))
    request.infer()
    return request.get_output_tensor().data


def graph_of(net: Net, weights: Weights, shape: list[int]) -> ov.Model:
    """`net` as an OpenVINO model of [N, h, w, channels]; -1 in `shape` = any size.

    OpenVINO computes with the channels last too: the transpositions cost nothing.
    """
    image = ops.parameter(ov.PartialShape(shape), ov.Type.f32)
    x: Any = ops.transpose(image, np.array([0, 3, 1, 2]))
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
    if net is PNET_REST:
        x = ops.transpose(x, np.array([0, 2, 3, 1]))
    return ov.Model([x], [image], net.name)  # pyright: ignore[reportGeneralTypeIssues]
