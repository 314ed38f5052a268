"""The network built anew from its TensorFlow.js nodes with OpenVINO's operations, channels first.

TensorFlow keeps channels last. With a transposition before and behind each convolution, as its files have it,
OpenVINO takes 2.5 times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.faces.faceres.tfjs import Node, read_model
from pipeline.networks.compiled_graph import ensure_graph
from pipeline.networks.weights import sha256_of
from pipeline.runtime.errors import UserError

CONVERSION = "2"  # raise it with any change of the graph
OUTPUTS = {"gender_pred/Sigmoid": 1, "age_pred/Softmax": 100, "global_pooling/Mean": 1024}  # columns


def numbers_of(topology: str) -> str:
    """The name or path of the .bin that belongs to a .json."""
    return f"{topology.removesuffix('.json')}.bin"


def ensure_converted(topology: Path, numbers: Path, root: Path) -> Path:
    """The network's OpenVINO graph, below `root/.cache/compiled`; converted if missing.

    float32 [1, 224, 224, 3], BGR minus its mean -> the OUTPUTS, in that order, float32 [1, columns].

    Raises:
        UserError: the files are not this network.
    """
    name = f"faceres-{sha256_of(topology)[:16]}-{sha256_of(numbers)[:16]}-{CONVERSION}"
    return ensure_graph(name, root, lambda graph: _convert(topology, numbers, graph))


def _convert(topology: Path, numbers: Path, graph: Path) -> None:
    import openvino
    import openvino.opset8 as ops

    nodes, constants = read_model(topology, numbers)
    values: dict[str, Any] = {name: ops.constant(value) for name, value in constants.items()}
    try:
        for node in nodes:
            inputs = [values[name.partition(":")[0]] for name in node.inputs]
            values[node.name] = OPERATIONS[node.operation](node, inputs)
        ends = [values[name] for name in OUTPUTS]
        entry = next(values[node.name] for node in nodes if node.operation == "Placeholder")
        model: Any = openvino.Model([ops.result(end) for end in ends], [entry], "faceres")  # pyright: ignore[reportGeneralTypeIssues]
        shapes = [list(port.get_partial_shape())[-1].get_length() for port in model.outputs]
        if shapes != list(OUTPUTS.values()):
            raise ValueError(f"outputs with {shapes} columns")
    except (KeyError, ValueError, IndexError, RuntimeError, StopIteration) as e:
        raise UserError(
            "these weights are not the network faceres",
            where=topology,
            got=f"{type(e).__name__}: {e}".splitlines()[0],
            allowed=f"a graph of {', '.join(OPERATIONS)} with the outputs {', '.join(OUTPUTS)}",
            fix="set faces.faceres.weights: faceres.json",
        ) from e
    openvino.save_model(model, graph, compress_to_fp16=False)


def _placeholder(node: Node, inputs: list[Any]) -> Any:
    import openvino.opset8 as ops

    sides = [int(d["size"]) for d in node.attributes["shape"]["shape"]["dim"]]
    return ops.parameter([1, *sides[1:]], np.float32)


def _convolution(node: Node, inputs: list[Any]) -> Any:
    """[1, C, h, w] and kernel [k, k, C, K] -> [1, K, h', w']; padding as TensorFlow's SAME."""
    import openvino.opset8 as ops

    return ops.convolution(
        _channels_first(inputs[0]), ops.transpose(inputs[1], np.array([3, 2, 0, 1])), **_strides(node)
    )


def _depthwise(node: Node, inputs: list[Any]) -> Any:
    """[1, C, h, w] and kernel [k, k, C, 1] -> [1, C, h', w']."""
    import openvino.opset8 as ops

    kernel = ops.unsqueeze(ops.transpose(inputs[1], np.array([2, 3, 0, 1])), np.array([2]))  # [C, 1, 1, k, k]
    return ops.group_convolution(_channels_first(inputs[0]), kernel, **_strides(node))


def _channels_first(value: Any) -> Any:
    """The pictures with their channels in front; what a layer made has them there already."""
    import openvino.opset8 as ops

    if value.get_type_name() != "Parameter":
        return value
    return ops.transpose(value, np.array([0, 3, 1, 2]))


def _per_channel(name: str) -> Callable[[Node, list[Any]], Any]:
    """Adds or multiplies [1, C, h, w] by a number for each channel, [C]."""

    def make(node: Node, inputs: list[Any]) -> Any:
        import openvino.opset8 as ops

        return getattr(ops, name)(inputs[0], ops.unsqueeze(inputs[1], np.array([1, 2])))

    return make


def _mean(node: Node, inputs: list[Any]) -> Any:
    """[1, C, h, w] -> [1, C]."""
    import openvino.opset8 as ops

    if inputs[1].data.tolist() != [1, 2]:
        raise ValueError(f"{node.name}: only a mean over height and width is known")
    return ops.reduce_mean(inputs[0], np.array([2, 3]), False)


def _strides(node: Node) -> dict[str, Any]:
    if node.text("padding") != "SAME" or node.integers("dilations") != [1, 1, 1, 1]:
        raise ValueError(f"{node.name}: only padding SAME and dilations of 1 are known")
    return {
        "strides": node.integers("strides")[1:3],
        "pads_begin": [0, 0],
        "pads_end": [0, 0],
        "dilations": [1, 1],
        "auto_pad": "same_upper",
    }


def _matmul(node: Node, inputs: list[Any]) -> Any:
    """[1, C] by [C, K], and what the node says is fused behind: a bias, a ReLU."""
    import openvino.opset8 as ops

    product, rest = ops.matmul(inputs[0], inputs[1], False, False), inputs[2:]
    for fused in node.texts("fused_ops"):
        product = ops.add(product, rest.pop(0)) if fused == "BiasAdd" else {"Relu": ops.relu}[fused](product)
    return product


def _simple(name: str, *more: Any) -> Callable[[Node, list[Any]], Any]:
    def make(node: Node, inputs: list[Any]) -> Any:
        import openvino.opset8 as ops

        return getattr(ops, name)(*inputs, *more)

    return make


OPERATIONS: dict[str, Callable[[Node, list[Any]], Any]] = {
    "Placeholder": _placeholder,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "_FusedMatMul": _matmul,
    "Add": _per_channel("add"),
    "Mul": _per_channel("multiply"),
    "Minimum": _simple("minimum"),
    "Maximum": _simple("maximum"),
    "Relu": _simple("relu"),
    "Mean": _mean,
    "Sigmoid": _simple("sigmoid"),
    "Softmax": _simple("softmax", 1),
}
