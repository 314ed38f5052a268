"""Kinds of interchangeable parts: one file in a folder = one name in params.yaml, no registry to edit."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from pipeline.errors import UserError, nearest

ROOT = Path(__file__).parent


def kind_names(kind: str) -> list[str]:
    """Names that `pipeline/<kind>/` offers: its files without `.py`, but for those that start with `_`."""
    return sorted(p.stem for p in (ROOT / kind).glob("*.py") if not p.stem.startswith("_"))


def load_kind(kind: str, name: str) -> ModuleType:
    """Imports `pipeline/<kind>/<name>.py`.

    Raises:
        UserError: there is no such file; lists what the folder holds.
    """
    names = kind_names(kind)
    if name not in names:
        close = nearest(name, names)
        raise UserError(
            f"there is no `{name}` in pipeline/{kind}/",
            got=name,
            allowed=names,
            fix=f"did you mean `{close}`?" if close else f"add pipeline/{kind}/{name}.py or choose another",
        )
    return importlib.import_module(f"pipeline.{kind}.{name}")
