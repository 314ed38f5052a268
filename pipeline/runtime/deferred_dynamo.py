"""Imports torchvision and timm without torch's compiler, which takes longer than both.

torchvision 0.29 (`ops.roi_align`) and timm 1.0 (`models.naflexvit`) load `torch._dynamo` while they are
imported, only to mark functions that are not to be compiled. It loads 900 modules, sympy among them. Stages
that only ask a network never need it. Whoever does (torch 2.14's optimizers, `torch.compile`) loads the real
one as ever.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
IMPORTERS = frozenset({"torchvision", "timm"})


def defer_dynamo() -> None:
    """From now on, torchvision and timm are imported without torch's compiler; call it before they are."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Wraps the loaders of the packages that load the compiler."""

    def __init__(self) -> None:
        self.searching = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self.searching or fullname not in IMPORTERS or COMPILER in sys.modules:
            return None
        self.searching = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.searching = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Loads a package while a stand-in answers for the compiler."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        import torch  # noqa: F401 (whole, before anything stands in for a part of it)

        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = self.loader
        with _stand_in():
            self.loader.exec_module(module)


@contextmanager
def _stand_in() -> Iterator[None]:
    """Puts a module in the compiler's place, and takes it away again."""
    compiler: Any = ModuleType(COMPILER)
    compiler.disable = _leave_alone
    compiler.utils = utils = ModuleType(f"{COMPILER}.utils")
    utils.__dict__["is_compile_supported"] = _is_compile_supported
    names = {COMPILER: compiler, f"{COMPILER}.utils": utils}
    sys.modules.update(names)
    try:
        yield
    finally:
        for name, module in names.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _leave_alone(function: Any = None, *_args: object, **_options: object) -> Any:
    """`torch.compiler.disable`, as a call or as a decorator with arguments."""
    return function if function is not None else _leave_alone


def _is_compile_supported(device_type: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    return is_compile_supported(device_type)
