"""A file of an installed Python package, read as a file: none of the package's code is imported."""

from __future__ import annotations

import ast
from importlib import metadata
from pathlib import Path

from pipeline.networks.weight_sources import Unobtainable
from pipeline.networks.weights_lock import PackageEntry


def write(name: str, entry: PackageEntry, place: Path) -> None:
    """Writes the file's bytes, or those of the literal in it, to `place`.

    Raises:
        Unobtainable: the package is not installed, or holds no such file or literal.
    """
    place.write_bytes(read(entry))


def read(entry: PackageEntry) -> bytes:
    """The file's bytes, or those of the literal in it.

    Raises:
        Unobtainable: the package is not installed, or holds no such file or literal.
    """
    wanted = f"{entry.package} {entry.version}"
    remedy = f"run `make setup`, which installs {wanted} where it has a wheel for this Python"
    try:
        installed = metadata.distribution(entry.package)
    except metadata.PackageNotFoundError as e:
        raise Unobtainable(f"the package {wanted} is not installed", remedy) from e
    path = Path(str(installed.locate_file(entry.member)))
    try:
        data = path.read_bytes()
    except OSError as e:
        reason = f"{entry.package} {installed.version} holds no {entry.member}: {e.strerror}"
        raise Unobtainable(reason, remedy) from e
    return data if entry.literal is None else _literal(data, entry.literal, path, remedy)


def _literal(source: bytes, name: str, path: Path, remedy: str) -> bytes:
    """The value of the line `name = b"..."` at the top of a Python source, which is parsed and never run."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise Unobtainable(f"{path} cannot be parsed: {e}", remedy) from e
    for line in tree.body:
        targets = line.targets if isinstance(line, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = getattr(line, "value", None)
            if isinstance(value, ast.Constant) and isinstance(value.value, bytes):
                return value.value
            raise Unobtainable(f"{name} in {path} is not a bytes literal", remedy)
    raise Unobtainable(f"{path} gives nothing the name {name}", remedy)
