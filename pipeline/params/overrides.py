"""Overrides of params by dotted names, like `dvc exp run -S name=value`, and their text form."""

from __future__ import annotations

import copy
import io
import re
from typing import Any

from ruamel.yaml import YAML

Overrides = dict[str, Any]  # dotted name -> value
UNQUOTED = re.compile(r"[A-Za-z_][\w./-]*")  # text that needs no quotes in Hydra's grammar
RESERVED = {"null", "true", "false", "nan", "inf"}  # words that do


def apply_overrides(params: dict[str, Any], overrides: Overrides) -> dict[str, Any]:
    """A copy of `params` with each dotted name of `overrides` set; creates missing sections."""
    changed = copy.deepcopy(params)
    for name, value in overrides.items():
        *sections, last = name.split(".")
        inner = changed
        for section in sections:
            if not isinstance(inner.get(section), dict):
                inner[section] = {}
            inner = inner[section]
        inner[last] = copy.deepcopy(value)
    return changed


def flatten(params: dict[str, Any], prefix: str = "") -> Overrides:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`."""
    flattened: Overrides = {}
    for key, inner in params.items():
        if isinstance(inner, dict) and inner:
            flattened |= flatten(inner, f"{prefix}{key}.")
        else:
            flattened[f"{prefix}{key}"] = inner
    return flattened


def set_options(params: dict[str, Any], overrides: Overrides) -> list[str]:
    """Arguments of -S in Hydra's grammar: `name=value`, with `++` if params.yaml lacks the name.

    Of a mapping, which Hydra would merge with the one there: `~name.key` for what goes, `++name.key=value`.
    """
    known = flatten(params)
    options: list[str] = []
    for name, value in overrides.items():
        if not isinstance(value, dict):
            options.append(f"{'' if name in known else '++'}{name}={to_hydra(value)}")
            continue
        inner = flatten(value, f"{name}.")
        options += [f"~{key}" for key in known if key.startswith(f"{name}.") and key not in inner]
        options += [f"++{key}={to_hydra(v)}" for key, v in inner.items()]
    return options


def to_hydra(value: Any) -> str:
    """A value in Hydra's override grammar, e.g. `[{from:59,to:60}]`; quotes text if necessary."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(to_hydra(v) for v in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{to_hydra(k)}:{to_hydra(v)}" for k, v in value.items()) + "}"
    text = str(value)
    if UNQUOTED.fullmatch(text) and text.lower() not in RESERVED:
        return text
    return "'" + text.replace("\\'", "\\\\'").replace("'", "\\'") + "'"


def yaml_text(values: dict[str, Any]) -> str:
    """`values` as YAML, in DVC's style."""
    yaml = YAML()
    yaml.default_flow_style = False
    out = io.StringIO()
    yaml.dump(values, out)
    return out.getvalue()
