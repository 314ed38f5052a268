"""Presets: files of params that are written into params.yaml, whose comments and layout stay."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.io.atomic import atomic_file
from pipeline.params.combinations import combination_problems
from pipeline.params.loading import read_document, read_params
from pipeline.params.overrides import Overrides, apply_overrides, flatten
from pipeline.runtime.errors import Problems, UserError, nearest

PRESETS = Path(__file__).resolve().parents[2] / "examples" / "presets"
FIX = "correct the preset, or a value in params.yaml that it does not go with"


def read_preset(name_or_path: str, folder: Path = PRESETS) -> Overrides:
    """The params of a preset, by dotted name.

    Args:
        name_or_path: the name of a file in `folder`, without .yaml, or the path of one's own.
        folder: of the presets that come along.

    Raises:
        UserError: there is no such preset, or it is not YAML with sections.
    """
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    path = folder / f"{name_or_path}.yaml" if name_or_path in names else Path(name_or_path)
    if not path.is_file():
        close = nearest(name_or_path, names)
        raise UserError(
            "there is no such preset",
            got=name_or_path,
            allowed=[*names, "a path"],
            fix=f"did you mean `{close}`?" if close else f"choose one of {folder}",
        )
    return flatten(read_document(path, FIX))


def write_params(path: Path, overrides: Overrides) -> list[tuple[str, Any, Any]]:
    """Sets params in params.yaml; only the lines of values that change are written anew.

    Returns:
        Name, value before and value after of each param that changed, in the order of `overrides`.

    Raises:
        UserError: the file is missing or is not YAML; Problems: it would not be valid. It is then untouched.
    """
    before = read_document(path)
    _refuse_invalid(apply_overrides(before, overrides), path)
    known = flatten(before)
    changes = [
        (name, known.get(name), value) for name, value in overrides.items() if known.get(name) != value
    ]
    if changes:
        text = _with_values(path.read_text(encoding="utf-8-sig"), {name: value for name, _, value in changes})
        with atomic_file(path) as part:
            part.write_text(text, encoding="utf-8")
    return changes


def _refuse_invalid(values: dict[str, Any], path: Path) -> None:
    problems = combination_problems(read_params(values, f"{path}, as it would be,", FIX))
    if problems:
        raise Problems(f"{path} would have combinations that are not allowed", problems, fix=FIX)


def _with_values(text: str, values: Mapping[str, Any]) -> str:
    """The text of a params file with other values, as DVC would write it."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10**6
    document = yaml.load(text)
    for name, value in values.items():
        *sections, last = name.split(".")
        inner = document
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()
