"""Networks on OpenVINO or onnxruntime: one array in, arrays out, float32, from several threads at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.runtime.errors import UserError

Runtime = Literal["openvino", "onnxruntime"]
Network = Callable[[np.ndarray], list[np.ndarray]]
MAX_SHAPES = 8  # input shapes that a network stays compiled for


def runtime_of(name: str) -> Runtime:
    """`openvino` or `onnxruntime`: the named one; for `auto` whichever is installed, OpenVINO first.

    Raises:
        UserError: it is not installed.
    """
    wanted: tuple[Runtime, ...] = ("openvino", "onnxruntime")
    if name not in ("auto", *wanted):
        raise UserError("there is no such runtime", got=name, allowed=["auto", *wanted])
    for one in wanted:
        if name in ("auto", one) and find_spec(one):
            return one
    raise UserError(
        "no runtime for the networks is installed" if name == "auto" else f"{name} is not installed",
        allowed=wanted,
        fix="pip install 'cleanplate[predict]'",
    )


def load_network(folder: Path, name: str, runtime: Runtime, *, fixed_shapes: bool = False) -> Network:
    """A network of an export.

    Args:
        folder: of the export.
        name: of the network.
        runtime: what runs it.
        fixed_shapes: OpenVINO compiles it for each shape of input, which is faster for large ones.

    Returns:
        A function from an array to a list of arrays, which belong to the caller. Any thread may call it.

    Raises:
        UserError: the file is not a network.
    """
    try:
        if runtime == "openvino":
            return _Openvino(folder / "openvino" / f"{name}.xml", fixed_shapes)
        return _onnx(folder / "onnx" / f"{name}.onnx")
    except (RuntimeError, ValueError, OSError) as e:
        raise UserError(
            "a network of the export cannot be loaded",
            where=folder,
            got=f"{name}: {str(e).strip().splitlines()[0]}",
            fix="run `cleanplate export` again",
        ) from e


class _Openvino:
    """Keeps requests that wait for input, by shape: each thread takes one, or makes one, and puts it back."""

    def __init__(self, path: Path, fixed_shapes: bool) -> None:
        import openvino

        self.tensor: Any = openvino.Tensor
        self.core = openvino.Core()
        self.model = self.core.read_model(path)
        self.fixed, self.lock = fixed_shapes, threading.Lock()
        self.compiled: OrderedDict[tuple[int, ...], tuple[Any, list[Any]]] = OrderedDict()

    def __call__(self, x: np.ndarray) -> list[np.ndarray]:
        with self.lock:
            compiled, waiting = self._of_shape(x.shape if self.fixed else ())
            request = waiting.pop() if waiting else compiled.create_infer_request()
        request.infer([self.tensor(np.ascontiguousarray(x), shared_memory=True)])
        outputs = [request.get_output_tensor(i).data.copy() for i in range(len(compiled.outputs))]
        with self.lock:
            waiting.append(request)
        return outputs

    def _of_shape(self, shape: tuple[int, ...]) -> tuple[Any, list[Any]]:
        if shape not in self.compiled:
            model = self.model.clone()
            if shape:
                model.reshape(list(shape))
            while len(self.compiled) >= MAX_SHAPES:
                self.compiled.popitem(last=False)
            self.compiled[shape] = self.core.compile_model(model, "CPU", _settings()), []
        self.compiled.move_to_end(shape)
        return self.compiled[shape]


def _settings() -> dict[str, Any]:
    from pipeline.networks.backends import openvino_properties

    return openvino_properties("f32")


def _onnx(path: Path) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: [np.asarray(output) for output in session.run(None, {name: np.ascontiguousarray(x)})]
