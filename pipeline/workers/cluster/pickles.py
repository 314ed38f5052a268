"""Work orders and results as bytes, between the process that hands out work and workers elsewhere.

`python -m stages.compose` calls its module `__main__`, and another process does not have it by that name; and
a worker that does not see the project has a `.cache` of its own.
"""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path, PurePath
from typing import Any

PROTOCOL = 5
ROOT = "root"


def main_module() -> str:
    """The name by which other processes can import what is `__main__` here; "" if there is none."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec else ""


def dump_order(value: Any, root: Path) -> bytes:
    """A work order; where it names the folder that holds `.cache`, a worker may have another."""
    buffer = io.BytesIO()
    _MovingPickler(buffer, root).dump(value)
    return buffer.getvalue()


class _MovingPickler(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, root: Path) -> None:
        super().__init__(buffer, PROTOCOL)
        self.root = root

    def persistent_id(self, obj: Any) -> Any:
        return ROOT if isinstance(obj, PurePath) and obj == self.root else None


class Loader:
    """Loads what the other side has pickled.

    Args:
        modules: name of a module there → name here.
        root: the folder in place of the one in `dump_order`.
    """

    def __init__(self, modules: dict[str, str], root: Path | None = None) -> None:
        self.modules, self.root = modules, root

    def load(self, data: bytes) -> Any:
        """The value."""
        unpickler = _Unpickler(io.BytesIO(data))
        unpickler.modules, unpickler.root = self.modules, self.root
        return unpickler.load()


class _Unpickler(pickle.Unpickler):
    modules: dict[str, str]
    root: Path | None

    def find_class(self, module_name: str, global_name: str) -> Any:
        return super().find_class(self.modules.get(module_name, module_name), global_name)

    def persistent_load(self, pid: Any) -> Any:
        assert pid == ROOT
        return self.root
