"""Functions compiled by numba, once for the arguments that they are meant for, and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core import config

HERE = Path(__file__).parent
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(*signatures: str, **options: Any) -> Callable[[Function], Function]:
    """Decorates a function with what numba makes of it for these signatures, e.g. `f4[:,::1](f4[:,::1], i8)`.

    They are fixed, and compiled at import in their order: several processes that begin without compiled code
    then write the same files, and an array of another layout is refused instead of being compiled for anew.
    """

    def decorate(function: Function) -> Function:
        compiler: Any = njit
        try:
            return compiler(list(signatures), cache=True, **options)(function)
        except (RuntimeError, OSError):  # nowhere to keep it, or no room
            return compiler(list(signatures), **options)(function)

    return decorate


def _place() -> Path:
    """Of the compiled code: another one for other sources, so that old code is never taken for new."""
    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py"))))
    return HERE.parents[2] / ".cache" / "numba" / sources.hexdigest()[:16]


settings: Any = config
settings.CACHE_DIR = str(_place())
