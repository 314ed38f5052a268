"""An OpenVINO graph of fixed shapes as ONNX: for networks that come as TFLite, which OpenVINO reads.

It knows the operations of MediaPipe's selfie segmentation and names any other that it meets.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.errors import UserError

OPSET = 17
PLAIN = {"Add": "Add", "Multiply": "Mul", "Sigmoid": "Sigmoid", "Relu": "Relu", "HSwish": "HardSwish"}

FOLDED = {"Add": np.add, "Multiply": np.multiply}  # where both inputs are constants


def write_onnx(model: Any, path: Path) -> None:
    """Writes an OpenVINO model (`openvino.Model`) of static shapes as ONNX, the same bytes each time.

    Raises:
        UserError: the graph has an operation that is not known here.
    """
    import onnx
    from onnx import TensorProto, helper

    writer = _Writer()
    for node in model.get_ordered_ops():
        writer.add(node)
    ends = {
        kind: [
            helper.make_tensor_value_info(writer.names[port], TensorProto.FLOAT, list(shape))
            for port, shape in ports
        ]
        for kind, ports in {
            "inputs": [((n.get_name(), 0), n.output(0).get_shape()) for n in model.get_parameters()],
            "outputs": [(_source(n, 0), n.input(0).get_shape()) for n in model.get_results()],
        }.items()
    }
    graph = helper.make_graph(writer.nodes, "network", ends["inputs"], ends["outputs"], writer.constants)
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="cleanplate"
    )
    made.ir_version = 8
    onnx.checker.check_model(made, full_check=True)
    path.write_bytes(made.SerializeToString(deterministic=True))


def _source(node: Any, number: int) -> tuple[str, int]:
    """The node, and its output, that feed an input of `node`."""
    port = node.input(number).get_source_output()
    return port.get_node().get_name(), port.get_index()


class _Writer:
    """Collects ONNX nodes and constants; `names` are the tensors' by OpenVINO node and output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.values: dict[tuple[str, int], np.ndarray] = {}  # of constants
        self.names: dict[tuple[str, int], str] = {}

    def add(self, node: Any) -> None:
        kind, key = node.get_type_name(), (node.get_name(), 0)
        known: dict[str, Callable[[Any], None]] = {
            "Constant": lambda n: self._constant(n, np.array(n.get_data())),
            "Convert": self._convert,
            "Unsqueeze": lambda n: self._constant(n, self._value(n, 0).reshape(n.output(0).get_shape())),
            "Transpose": self._transpose,
            "Reshape": self._reshape,
            "Convolution": lambda n: self._convolution(n, 1),
            "GroupConvolution": lambda n: self._convolution(n, self._value(n, 1).shape[0]),
            "DepthToSpace": self._depth_to_space,
            "AvgPool": self._pool,
            "Interpolate": self._interpolate,
        }
        if kind == "Parameter":
            self.names[key] = f"input{len(self.names)}" if self.names else "pixels"
        elif kind in FOLDED and all(_source(node, number) in self.values for number in (0, 1)):
            self._constant(node, FOLDED[kind](self._value(node, 0), self._value(node, 1)))
        elif kind in PLAIN:
            self._node(node, PLAIN[kind], node.get_input_size())
        elif kind in known:
            known[kind](node)
        elif kind != "Result":
            raise UserError(
                "this network has an operation that cannot be written as ONNX",
                got=kind,
                allowed=sorted((*PLAIN, *known)),
                fix="set segment.selfie.weights to selfie_segmentation.tflite",
            )

    def _value(self, node: Any, number: int) -> np.ndarray:
        return self.values[_source(node, number)]

    def _constant(self, node: Any, value: np.ndarray) -> None:
        self.values[node.get_name(), 0] = value

    def _input(self, node: Any, number: int) -> str:
        """The name of an input's tensor; a constant is written when it is first asked for."""
        from onnx import numpy_helper

        key = _source(node, number)
        if key not in self.names:
            self.names[key] = f"constant{len(self.constants)}"
            value = np.ascontiguousarray(self.values[key])
            self.constants.append(numpy_helper.from_array(value, self.names[key]))
        return self.names[key]

    def _node(self, node: Any, kind: str, inputs: int, **attributes: Any) -> None:
        from onnx import helper

        name = self.names[node.get_name(), 0] = f"tensor{len(self.nodes)}"
        feeds = [self._input(node, number) for number in range(inputs)]
        self.nodes.append(helper.make_node(kind, feeds, [name], **attributes))

    def _convert(self, node: Any) -> None:
        if _source(node, 0) in self.values:
            self._constant(node, self._value(node, 0).astype(np.float32))
        else:  # from float32 to float32
            self._node(node, "Identity", 1)

    def _transpose(self, node: Any) -> None:
        order = self._value(node, 1).tolist()
        if _source(node, 0) in self.values:
            self._constant(node, self._value(node, 0).transpose(order))
        else:
            self._node(node, "Transpose", 1, perm=order)

    def _reshape(self, node: Any) -> None:
        self._constant(node, self._value(node, 0).reshape(node.output(0).get_shape()))

    def _convolution(self, node: Any, groups: int) -> None:
        at, kernel = node.get_attributes(), self._value(node, 1)
        if groups > 1:  # [groups, outputs, inputs, h, w] -> [groups x outputs, inputs, h, w]
            self.values[_source(node, 1)] = kernel.reshape(-1, *kernel.shape[2:])
        pads = [*at["pads_begin"], *at["pads_end"]]
        self._node(node, "Conv", 2, strides=at["strides"], pads=pads, dilations=at["dilations"], group=groups)

    def _pool(self, node: Any) -> None:
        at = node.get_attributes()
        pads = [*at["pads_begin"], *at["pads_end"]]
        self._node(node, "AveragePool", 1, kernel_shape=at["kernel"], strides=at["strides"], pads=pads)

    def _depth_to_space(self, node: Any) -> None:
        at = node.get_attributes()
        mode = {"depth_first": "CRD", "blocks_first": "DCR"}[at["mode"]]
        self._node(node, "DepthToSpace", 1, blocksize=at["block_size"], mode=mode)

    def _interpolate(self, node: Any) -> None:
        from onnx import helper, numpy_helper

        name = self.names[node.get_name(), 0] = f"tensor{len(self.nodes)}"
        sizes = f"sizes{len(self.constants)}"
        shape = np.array(list(node.output(0).get_shape()), np.int64)
        self.constants.append(numpy_helper.from_array(shape, sizes))
        transform = node.get_attributes()["coordinate_transformation_mode"]
        feeds = [self._input(node, 0), "", "", sizes]
        self.nodes.append(
            helper.make_node("Resize", feeds, [name], mode="linear", coordinate_transformation_mode=transform)
        )
