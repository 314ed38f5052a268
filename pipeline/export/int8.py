"""A classifier in int8: weights per channel and activations, as ONNX in QDQ form and as OpenVINO IR of it.

Weights take seven bits of eight: on CPUs without VNNI, pairs of full products overflow 16 bits and are cut
off there, so that the same file would answer otherwise on another machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.export.networks import ONNX, write_ir_of_onnx
from pipeline.runtime.errors import UserError

SUFFIX = "_int8"


def write_int8(folder: Path, name: str, pictures: Sequence[np.ndarray]) -> str:
    """Writes the int8 variant of `onnx/NAME.onnx` beside it, and its IR; the same pictures, the same bytes.

    Args:
        folder: of the export.
        name: of a float32 classifier in it.
        pictures: uint8 [S, S, 3] RGB, at least one; their smallest and largest activations set
            the ranges.

    Returns:
        The name of the new network.

    Raises:
        UserError: onnxruntime is not installed.
    """
    _require_onnxruntime()
    from onnxruntime.quantization import QuantFormat, QuantType, quant_pre_process, quantize_static

    source, quantized = folder / ONNX / f"{name}.onnx", name + SUFFIX
    target = folder / ONNX / f"{quantized}.onnx"
    with tempfile.TemporaryDirectory() as place:
        shaped = Path(place) / "shaped.onnx"
        # the exporter has folded what can be folded; only shapes are missing
        quant_pre_process(str(source), str(shaped), skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            str(shaped),
            str(target),
            _reader(pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
    write_ir_of_onnx(target, quantized, folder)
    return quantized


def _require_onnxruntime() -> None:
    if find_spec("onnxruntime") is None:
        raise UserError("onnxruntime is not installed, which makes int8 networks", fix="run `make setup`")


def _reader(pictures: Sequence[np.ndarray]) -> Any:
    """The pictures one by one, as onnxruntime's calibration asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[np.ndarray] = iter(pictures)

        def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
            picture = next(self.left, None)
            return None if picture is None else {"pixels": picture[None]}

    return Reader()
