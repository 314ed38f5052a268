"""params.yaml as a document: what is no plain, bounded YAML is refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from pipeline.runtime.errors import UserError


class _Loader(yaml.SafeLoader):
    """YAML without a key twice in one section, where the first would silently count for nothing, and without
    numbers that YAML 1.1 reads as people do not: 010 is 8 there, and 1:30 is 90.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in keys:
                    raise yaml.constructor.ConstructorError(
                        problem=f"`{key.value}` is there twice", problem_mark=key.start_mark
                    )
                keys.add(key.value)
        return super().construct_mapping(node, deep)


def _plain_number(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = node.value
    whole = node.tag == "tag:yaml.org,2002:int"
    if ":" in text or (whole and re.match("[-+]?0[0-9_]", text)):
        raise yaml.constructor.ConstructorError(
            problem=f"`{text}` is no plain number; write it in decimals, without zeros in front",
            problem_mark=node.start_mark,
        )
    return loader.construct_yaml_int(node) if whole else loader.construct_yaml_float(node)


for _tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _plain_number)


def read_document(path: Path, fix: str) -> dict[Any, Any]:
    """The sections of a params file, as they are written.

    Raises:
        UserError: the file is missing or is no YAML with sections.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UserError("the params file is not a file", where=path, fix=fix)
    try:
        raw = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)
    except FileNotFoundError as e:
        raise UserError("the params file is missing", where=path, fix="run in the repository's root") from e
    except RecursionError as e:
        raise UserError("the params file is nested too deeply", where=path, fix=fix) from e
    except (yaml.YAMLError, ValueError, OSError) as e:
        raise UserError("the params file is not readable YAML", where=path, got=str(e), fix=fix) from e
    except (LookupError, AttributeError, TypeError) as e:  # PyYAML's own, e.g. of `!!bool x`, `!!int ''`
        got = f"a value that is not what its tag says ({type(e).__name__}: {e})"
        raise UserError("the params file is not readable YAML", where=path, got=got, fix=fix) from e
    if not isinstance(raw, dict):
        raise UserError("the params file holds no sections", where=path, got=type(raw).__name__, fix=fix)
    return raw
