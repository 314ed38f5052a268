"""The contents of a file of weights, read without running code from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.errors import UserError, first_line, printable

MAX_NAMES = 4  # tensors named
MAX_HEADER = 100 << 20  # bytes, as safetensors itself allows


@dataclass(frozen=True)
class Contents:
    """The kind of file, and the names of its tensors where the kind has names."""

    kind: str
    tensors: tuple[str, ...] = ()
    trouble: str = ""  # why there are no names

    def __str__(self) -> str:
        if self.trouble:
            return printable(f"{self.kind}; {self.trouble}")
        if not self.tensors:
            return self.kind
        more = ", …" if len(self.tensors) > MAX_NAMES else ""
        return printable(
            f"{self.kind}, {len(self.tensors)} tensors: {', '.join(self.tensors[:MAX_NAMES])}{more}"
        )


def contents(path: Path, name: str) -> Contents:
    """Describes the file at `path`; `name` is its name in weights.lock.

    A torch file is read with `torch.load(weights_only=True)`; a file that needs more is reported as such.
    """
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return Contents("an empty file")
    if start[8:9] == b"{" and 0 < int.from_bytes(start[:8], "little") <= MAX_HEADER:
        return _safetensors(path)
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return _torch(path)
    if start[4:8] == b"TFL3":
        return Contents("TensorFlow Lite network")
    if name.endswith(".onnx"):
        return _onnx(path)
    if start.lstrip()[:1] == b"<":
        return Contents("a page", trouble="it begins like HTML or XML, not like weights")
    return Contents(f"a file that begins with {start[:8].hex(' ')}")


def _safetensors(path: Path) -> Contents:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(length))
        except ValueError as e:
            return Contents("safetensors", trouble=f"damaged: {e}")
    return Contents("safetensors", tuple(key for key in header if key != "__metadata__"))


def _torch(path: Path) -> Contents:
    from pipeline.networks.state_dict import read_state_dict

    try:
        return Contents("torch file", tuple(read_state_dict(path)))
    except UserError as e:
        lines = [" ".join(line.split()) for line in str(e).splitlines() if "where:" not in line]
        return Contents("torch file or zip", trouble="; ".join(lines))


def _onnx(path: Path) -> Contents:
    import openvino

    try:
        model = openvino.Core().read_model(path.read_bytes())
    except RuntimeError as e:
        return Contents("ONNX by its name", trouble=first_line(e))
    names = (op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "Constant")
    return Contents("ONNX network", tuple(names))
