"""Reads and checks params.yaml: reports every mistake at once, with the nearest allowed name.

ruamel.yaml reads it as YAML 1.2, like DVC, so that a stage never sees a value that differs from DVC's.
"""

from __future__ import annotations

import re
import reprlib
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pipeline.params.combinations import combination_problems
from pipeline.params.schema import Params
from pipeline.runtime.errors import Problems, UserError, nearest

SHORT = reprlib.Repr()  # a value may be a bomb of YAML aliases, so never print all of it
SHORT.maxlevel, SHORT.maxstring, SHORT.maxother = 2, 200, 200
MAX_DEPTH = 50  # of lists and mappings in each other
MAX_MERGED = 10_000  # keys of one mapping after merges (`<<`), which can explode like aliases
OLD_NAMES = {
    "audit.cosine": "audit.min_cosine",
    "audit.hash_bits": "audit.max_hash_distance",
    "audit.least": "audit.min_confidence",
    "audit.strength": "audit.l2",
    "explore.cosine": "explore.min_cosine",
    "explore.hash_bits": "explore.max_hash_distance",
    "explore.shuffles": "explore.permutations",
    "explore.strength": "explore.l2",
    "ingest.background": "ingest.transparent_rgb",
    "reliance.people": "reliance.max_people",
    "reliance.swaps": "reliance.backgrounds_per_photo",
    "train.clip": "train.clip_grad",
    "train.ema": "train.ema_decay",
    "train.mix_boxes": "train.cutmix_boxes",
    "train.step_epochs": "train.decay_epochs",
    "train.step_rate": "train.decay_rate",
}
INVERSE = {"audit.strength", "explore.strength"}  # the new value is 1 / the old one
FIX = "correct params.yaml, or the -S option that set this value"


class _Constructor(SafeConstructor):
    """Reports a duplicate key without its values, and bounds merges: both may hide a bomb."""

    def check_mapping_key(self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        if key in mapping:
            raise ConstructorError(
                problem=f"duplicate key `{SHORT.repr(key).strip(chr(39))}`", problem_mark=key_node.start_mark
            )
        return True

    def flatten_mapping(self, node: Any) -> Any:
        result = super().flatten_mapping(node)
        if len(node.value) > MAX_MERGED:
            raise ConstructorError(problem="too many merged keys", problem_mark=node.start_mark)
        return result


def parse_yaml(text: str) -> Any:
    """The values of a YAML 1.2 document, as DVC reads them; None if it is empty.

    Raises:
        ValueError: not such a document; names the fault and the line.
    """
    if directive := re.search(r"^%YAML.*", text, re.M):
        raise ValueError(
            f"`{directive[0].strip()}` is not supported: the file is always YAML 1.2; remove the line"
        )
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    yaml.max_depth = MAX_DEPTH
    try:
        return yaml.load(text)
    except MaxDepthExceededError as e:
        raise ValueError("it is nested too deeply") from e
    except MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(", ".join(part for part in (e.context, e.problem) if part) + line) from e
    except YAMLError as e:
        raise ValueError(" ".join(str(e).split())) from e
    except (LookupError, AttributeError, TypeError) as e:  # from ruamel, e.g. for `!!bool x`, `!!int ''`
        raise ValueError(f"a value does not match its tag ({type(e).__name__}: {e})") from e


def read_document(path: Path, fix: str = FIX) -> dict[Any, Any]:
    """The raw sections of a params file.

    Raises:
        UserError: the file is missing or is not YAML with sections.
    """
    if path.exists() and not path.is_file():  # reading a pipe would block
        raise UserError("the params file is not a file", where=path, fix=fix)
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as e:
        raise UserError("the params file is missing", where=path, fix="run in the repository's root") from e
    except (ValueError, OSError) as e:
        raise UserError("the params file is not readable YAML", where=path, got=str(e), fix=fix) from e
    if not isinstance(raw, dict):
        raise UserError("the params file has no sections", where=path, got=type(raw).__name__, fix=fix)
    return raw


def load_params(path: Path) -> Params:
    """Reads and validates params.yaml.

    Raises:
        UserError: the file is missing or is not YAML.
        Problems: unknown keys (with the nearest known), wrong types, values or combinations that are not
            allowed.
    """
    raw = read_document(path)
    params = read_params(raw, str(path))
    problems = combination_problems(params)
    if problems:
        raise Problems(f"{path} has combinations that are not allowed", problems, fix=FIX)
    return params


def read_params(raw: dict[str, Any], where: str, fix: str = FIX) -> Params:
    """Validates a params file key by key; does not check combinations.

    Raises:
        Problems: unknown keys (with the nearest known), wrong types, values not allowed.
    """
    try:
        return Params.model_validate(raw)
    except ValidationError as e:
        raise Problems(
            f"{where} is not valid", [_format_problem(dict(row)) for row in e.errors()], fix=fix
        ) from e


def _format_problem(error: dict[str, Any]) -> str:
    loc: tuple[Any, ...] = error["loc"]
    name = ".".join(str(part) for part in loc)
    if name in OLD_NAMES:
        how = f", which is 1 / {loc[-1]}" if name in INVERSE else ""
        return f"{name}: was renamed to {OLD_NAMES[name]}{how}; got {SHORT.repr(error.get('input'))}"
    if error["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1])
        close = nearest(str(loc[-1]), known)
        hint = f"; did you mean `{close}`?" if close else "."
        return f"{name}: no such param{hint} Known: {', '.join(known)}"
    if error["type"] == "model_type" and len(loc) == 1:
        got = "nothing" if error.get("input") is None else SHORT.repr(error.get("input"))
        return f"{name}: a section needs indented params; got {got}. Remove an empty section"
    return f"{name}: {error['msg']}; got {SHORT.repr(error.get('input'))}"


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Params
    for part in loc:
        field = model.model_fields.get(str(part))
        inner = field and _find_model(field.annotation)
        if not inner:
            return []
        model = inner
    return [f.alias or n for n, f in model.model_fields.items()]


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple):
        for part in typing.get_args(annotation):
            if model := _find_model(part):
                return model
    return None
