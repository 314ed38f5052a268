"""The three networks of MTCNN on OpenVINO or torch, from one description.

Architecture: Zhang et al. 2016, "Joint Face Detection and Alignment using Multitask Cascaded Convolutional
Networks", as in facenet-pytorch. Three changes leave the results as they are up to float noise (1e-6): the
normalisation (v - 127.5) / 128 is folded into the first convolution (no layer pads, so this is exact), the
heads of a network are one layer, and the caller computes the softmax over two logits, for candidates only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

Backend = Literal["openvino", "torch"]
Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Net:
    """Layers by name: `convN`, `preluN`, `denseN` have weights in the file; `poolK` is K x K, stride 2."""

    name: str
    body: tuple[str, ...]
    heads: tuple[str, ...]


PNET = Net("pnet", ("conv1", "prelu1", "pool2", "conv2", "prelu2", "conv3", "prelu3"), ("conv4_1", "conv4_2"))
RNET = Net(
    "rnet",
    ("conv1", "prelu1", "pool3", "conv2", "prelu2", "pool3", "conv3", "prelu3", "dense4", "prelu4"),
    ("dense5_1", "dense5_2"),
)
ONET = Net(
    "onet",
    ("conv1", "prelu1", "pool3", "conv2", "prelu2", "pool3", "conv3", "prelu3", "pool2", "conv4", "prelu4",
     "dense5", "prelu5"),
    ("dense6_1", "dense6_2", "dense6_3"),
)  # fmt: skip
RNET_SIDE, ONET_SIDE = 24, 48


class Nets(Protocol):
    """Runs the networks. Inputs are float32 RGB in 0 … 255; an output is valid until the next call.

    `pnet`: [N, 3, h, w] -> [N, h', w', 6], h' = ceil((h - 2) / 2) - 4: logits not-face, face;
        dx1, dy1, dx2, dy2.
    `rnet`: [N, 24, 24, 3] -> [N, 6], the same six.
    `onet`: [N, 48, 48, 3] -> [N, 16], the same six and five landmarks x1 … x5, y1 … y5.
    """

    def pnet(self, levels: np.ndarray) -> np.ndarray: ...
    def rnet(self, crops: np.ndarray) -> np.ndarray: ...
    def onet(self, crops: np.ndarray) -> np.ndarray: ...


def folded_weights(net: Net, root: Path) -> Weights:
    """Weights with the normalisation folded in, flattening in (channel, row, column) order, and heads joined.

    Returns:
        By layer `name.weight`, `name.bias`; the joined heads are called `heads`.
    """
    from pipeline.detect.mtcnn.weights import read_weights  # late: exported networks need no weights' file

    weights = read_weights(net.name, root)
    first = weights["conv1.weight"].astype(np.float64)
    weights["conv1.weight"] = (first * 0.0078125).astype(np.float32)
    shift = (first * (127.5 * 0.0078125)).sum((1, 2, 3))
    weights["conv1.bias"] = (weights["conv1.bias"] - shift).astype(np.float32)
    for part in ("weight", "bias"):
        weights[f"heads.{part}"] = np.concatenate([weights[f"{head}.{part}"] for head in net.heads])
    for layer in net.body:
        if layer.startswith("dense"):
            # facenet-pytorch flattens (column, row, channel)
            dense = weights[f"{layer}.weight"]
            dense = dense.reshape(len(dense), 3, 3, -1).transpose(0, 3, 2, 1)
            weights[f"{layer}.weight"] = np.ascontiguousarray(dense).reshape(len(dense), -1)
    return weights


def layer_type_of(layer: str) -> Literal["conv", "prelu", "pool", "dense"]:
    """The type of a layer, from its name."""
    types: tuple[Any, ...] = ("conv", "prelu", "pool", "dense")
    return next(name for name in types if layer.startswith(name))
