"""Plugins by name: one file in a folder = one value in params.yaml, without a registry."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from pipeline.runtime.errors import UserError, nearest

ROOT = Path(__file__).parent.parent


def plugin_names(kind: str) -> list[str]:
    """Names of the plugins of a kind, e.g. "compose.fills": its files without `.py`, except `_…`."""
    return sorted(p.stem for p in (ROOT / kind.replace(".", "/")).glob("*.py") if not p.stem.startswith("_"))


def load_plugin(kind: str, name: str) -> ModuleType:
    """Imports the plugin `name` of a kind, e.g. "compose.fills".

    Raises:
        UserError: there is no such file; lists the plugins of the kind.
    """
    names = plugin_names(kind)
    folder = f"pipeline/{kind.replace('.', '/')}/"
    if name not in names:
        close = nearest(name, names)
        raise UserError(
            f"there is no `{name}` in {folder}",
            got=name,
            allowed=names,
            fix=f"did you mean `{close}`?" if close else f"add {folder}{name}.py or choose another",
        )
    return importlib.import_module(f"pipeline.{kind}.{name}")
