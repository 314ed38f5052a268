"""Which of the project's own modules a script imports, found by reading the source, not by running it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
OWN = ("pipeline", "stages", "demo", "cleanplate")


def file_of(module: str) -> Path | None:
    """The file of a module of this project, or None for a library or a name inside a module."""
    base = ROOT / Path(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


def folder_of(kind: str) -> str:
    """The folder whose files a kind of plug-in is, e.g. "compose.fills": pipeline/compose/fills."""
    return f"pipeline/{kind.replace('.', '/')}"


def plugins(kind: str) -> set[Path]:
    """The files of a kind of plug-in."""
    return {p for p in (ROOT / folder_of(kind)).glob("*.py") if not p.stem.startswith("_")}


@cache
def imported(path: Path) -> tuple[frozenset[Path], frozenset[str]]:
    """Own files that `path` imports (at any depth of its code), and the kinds of plug-ins that it loads."""
    files: set[Path] = set()
    kinds: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "load_plugin"
            and isinstance(node.args[0], ast.Constant)
        ):
            kinds.add(str(node.args[0].value))
        for name in names:
            found = file_of(name) if name.split(".")[0] in OWN else None
            if found:
                files.add(found)
    return frozenset(files), frozenset(kinds)


def closure(path: Path, ends: frozenset[Path] = frozenset()) -> tuple[set[Path], set[str]]:
    """What `path` imports, directly or not, and the kinds of plug-ins that are loaded by name on the way.

    A plug-in's own file is among the first only where some module imports it; what it imports always is.

    Args:
        ends: files whose imports are not followed.
    """
    files: set[Path] = set()
    kinds: set[str] = set()
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current in seen or current in ends:
            continue
        seen.add(current)
        own, loaded = imported(current)
        files |= own
        kinds |= loaded
        waiting += [*own, *(plugin for kind in loaded for plugin in plugins(kind))]
    return files - {path}, kinds
