"""Params changed by dotted names, as `dvc exp run -S name=value` does it, and written that way."""

from __future__ import annotations

import copy
import io
import re
from typing import Any

from ruamel.yaml import YAML

Overrides = dict[str, Any]  # dotted name -> value
PLAIN = re.compile(r"[A-Za-z_][\w./-]*")  # text that Hydra's grammar reads as text without quotes
WORDS = {"null", "true", "false", "nan", "inf"}  # ... and that it does not


def with_overrides(params: dict[str, Any], overrides: Overrides) -> dict[str, Any]:
    """A copy of `params` with each dotted name of `overrides` set; sections that are missing are made."""
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


def flat(params: dict[str, Any], prefix: str = "") -> Overrides:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`."""
    found: Overrides = {}
    for key, inner in params.items():
        if isinstance(inner, dict) and inner:
            found |= flat(inner, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = inner
    return found


def set_options(params: dict[str, Any], overrides: Overrides) -> list[str]:
    """What follows -S, in Hydra's grammar: `name=value`, with `++` where params.yaml has no such name."""
    known = flat(params)
    sections = {name.rsplit(".", k)[0] for name in known for k in range(1, name.count(".") + 1)}
    return [
        f"{'' if name in known or name in sections else '++'}{name}={hydra(value)}"
        for name, value in overrides.items()
    ]


def hydra(value: Any) -> str:
    """A value in Hydra's override grammar, e.g. `[{from:59,to:60}]`; text is quoted where it must be."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(hydra(v) for v in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{hydra(k)}:{hydra(v)}" for k, v in value.items()) + "}"
    text = str(value)
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    return "'" + text.replace("\\'", "\\\\'").replace("'", "\\'") + "'"


def yaml_text(values: dict[str, Any]) -> str:
    """`values` in the form that DVC writes params.yaml in."""
    yaml = YAML()
    yaml.default_flow_style = False
    out = io.StringIO()
    yaml.dump(values, out)
    return out.getvalue()
