"""Networks as files: ONNX, and OpenVINO's IR of the same graph. The same network gives the same bytes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.runtime.errors import UserError

OPSET = 17
ONNX, OPENVINO = "onnx", "openvino"  # folders of an export


def write_network(
    module: Any,
    example: Any,
    name: str,
    folder: Path,
    axes: Mapping[str, Mapping[int, str]],
    openvino: bool = True,
) -> None:
    """Writes a torch module as `onnx/NAME.onnx` and, from that, `openvino/NAME.xml` and `.bin`, all float32.

    Args:
        module: torch.nn.Module in evaluation mode.
        example: an input.
        axes: by the name of the input or output, in their order, its axes of any size.
        openvino: False = ONNX alone.
    """
    import torch

    target = folder / ONNX / f"{name}.onnx"
    target.parent.mkdir(exist_ok=True)
    require_onnx()
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated in torch; tests compare every network
        torch.onnx.export(
            module,
            (example,),
            target,
            dynamo=False,  # the other exporter writes paths of source files into the graph
            opset_version=OPSET,
            input_names=list(axes)[:1],
            output_names=list(axes)[1:],
            dynamic_axes={key: dict(value) for key, value in axes.items()},
        )
    if openvino:
        write_ir_of_onnx(target, name, folder)


def require_onnx() -> None:
    """Raises a UserError where the package that writes ONNX is missing."""
    from importlib.util import find_spec

    if find_spec("onnx") is None:
        raise UserError("onnx is not installed, which writes the exported networks", fix="run `make setup`")


def write_ir_of_onnx(source: Path, name: str, folder: Path) -> None:
    """Writes `openvino/NAME.xml` and `.bin` from an ONNX file."""
    import openvino

    write_ir(openvino.Core().read_model(source), name, folder)


def write_ir(model: Any, name: str, folder: Path) -> None:
    """Writes an OpenVINO model as `openvino/NAME.xml` and `.bin`.

    Operations are named by their place, and notes about who converted what are left out: the names that
    OpenVINO makes up count on from whatever this process has done before.
    """
    import openvino

    target = folder / OPENVINO / f"{name}.xml"
    target.parent.mkdir(exist_ok=True)
    for number, operation in enumerate(model.get_ordered_ops()):
        if operation.get_type_name() != "Parameter":
            operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
    model.set_friendly_name(name)
    openvino.save_model(model, target, compress_to_fp16=False)
    text = target.read_text(encoding="utf-8")
    target.write_text(
        re.sub(r"\s*<rt_info>.*?</rt_info>|\s*<rt_info ?/>", "", text, flags=re.S), encoding="utf-8"
    )
