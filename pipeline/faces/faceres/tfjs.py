"""A TensorFlow.js graph model: its nodes, and its numbers as float32."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.errors import UserError

TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4"}


@dataclass(frozen=True)
class Node:
    """One operation: its name, inputs (names of nodes) and attributes as in the file."""

    name: str
    operation: str
    inputs: tuple[str, ...]
    attributes: dict[str, Any]

    def integers(self, name: str) -> list[int]:
        """An attribute that is a list of integers."""
        return [int(v) for v in self.attributes[name]["list"]["i"]]

    def text(self, name: str) -> str:
        """An attribute that is a text."""
        return base64.b64decode(self.attributes[name]["s"]).decode()

    def texts(self, name: str) -> list[str]:
        """An attribute that is a list of texts."""
        return [base64.b64decode(v).decode() for v in self.attributes[name]["list"].get("s", [])]


def read_model(topology: Path, numbers: Path) -> tuple[list[Node], dict[str, np.ndarray]]:
    """The operations in the file's order, constants left out, and the constants by name (float32 or int32).

    Args:
        topology: the .json file.
        numbers: the .bin file with all of its constants.

    Raises:
        UserError: they are no such model, or do not belong together.
    """
    try:
        whole = json.loads(topology.read_text(encoding="utf-8"))
        raw = whole["modelTopology"]["node"]
        manifest = [entry for group in whole["weightsManifest"] for entry in group["weights"]]
        nodes = [
            Node(n["name"], n["op"], tuple(n.get("input", ())), n.get("attr", {}))
            for n in raw
            if n["op"] != "Const"
        ]
        return nodes, _constants(manifest, numbers.read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise UserError(
            "these weights are not a TensorFlow.js graph model",
            where=f"{topology}, {numbers}",
            got=f"{type(e).__name__}: {e}",
            allowed="NAME.json with modelTopology and weightsManifest, and its numbers in NAME.bin beside it",
            fix="set faces.faceres.weights: faceres.json",
        ) from e


def _constants(manifest: list[dict[str, Any]], data: bytes) -> dict[str, np.ndarray]:
    constants: dict[str, np.ndarray] = {}
    start = 0
    for entry in manifest:
        stored = entry.get("quantization", {}).get("dtype", entry["dtype"])
        if stored not in TYPES or "scale" in entry.get("quantization", {}):
            raise ValueError(f"{entry['name']} is stored as {stored}, not as {', '.join(TYPES)}")
        kind, count = np.dtype(TYPES[stored]), int(np.prod(entry["shape"], dtype=np.int64))
        values = np.frombuffer(data, kind, count, start).reshape(entry["shape"])
        constants[entry["name"]] = values.astype(np.int32 if stored == "int32" else np.float32)
        start += count * kind.itemsize
    if start != len(data):
        raise ValueError(f"{start:,} bytes are described, and there are {len(data):,}")
    return constants
