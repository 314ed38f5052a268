"""Functions compiled by numba for fixed signatures, and cached on disk."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pipeline.detect.arithmetic import uses_numba

HERE = Path(__file__).parent
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(
    *signatures: str, plain: Callable[..., Any] | None = None, **options: Any
) -> Callable[[Function], Function]:
    """A decorator that compiles a function for these signatures, e.g. `f4[:,::1](f4[:,::1], i8)`.

    Compiling all of them at import, in order, makes parallel processes write the same cache files; an array
    of another layout raises an error instead of starting another compilation.

    Args:
        plain: the same function in numpy, which stands in where numba is not used
            (`pipeline.detect.arithmetic`); None = numba is needed.
    """

    def decorate(function: Function) -> Function:
        if plain is not None and not uses_numba():
            stand_in: Any = plain
            return stand_in
        compiler = _compiler()
        try:
            return compiler(list(signatures), cache=True, **options)(function)
        except (RuntimeError, OSError):  # the cache folder is not writable, or full
            return compiler(list(signatures), **options)(function)

    return decorate


def _cache_folder() -> Path:
    """The cache folder, named by the hash of the sources, so that outdated code is never used."""
    sources = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.rglob("*.py"))))
    return HERE.parents[1] / ".cache" / "numba" / sources.hexdigest()[:16]


@functools.cache
def _compiler() -> Any:
    """numba's compiler, which keeps what it compiles in the cache folder."""
    from numba import njit
    from numba.core import config

    settings: Any = config
    settings.CACHE_DIR = str(_cache_folder())
    return njit
