"""Which of the project's own modules a script imports, found by reading the source, not by running it."""

from __future__ import annotations

import ast
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


def imported(path: Path) -> tuple[set[Path], set[str]]:
    """Own files that `path` imports (at any depth of its code), and the kinds that it loads by name."""
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
            and getattr(node.func, "id", "") == "load_kind"
            and isinstance(node.args[0], ast.Constant)
        ):
            kinds.add(str(node.args[0].value))
        for name in names:
            if name.split(".")[0] in OWN:
                found = file_of(name)
                if found:
                    files.add(found)
    return files, kinds


def closure(path: Path) -> tuple[set[Path], set[str]]:
    """Everything that `path` imports, directly or not, with what the kinds that it loads import in turn."""
    seen: set[Path] = set()
    kinds: set[str] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        files, loaded = imported(current)
        waiting += files
        for kind in loaded - kinds:
            waiting += [
                p
                for p in (ROOT / "pipeline" / kind.replace(".", "/")).glob("*.py")
                if not p.stem.startswith("_")
            ]
        kinds |= loaded
    return seen - {path}, kinds
