"""params.yaml read and checked: every mistake at once, with the nearest right name."""

from __future__ import annotations

import reprlib
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.params.document import read_document
from pipeline.params.schema import Params
from pipeline.runtime.errors import Problems, nearest
from pipeline.runtime.plugins import kind_names

SHORT = reprlib.Repr()  # a value may be a bomb of YAML aliases: never all of it
SHORT.maxlevel, SHORT.maxstring, SHORT.maxother = 2, 200, 200
FIX = "correct params.yaml, or the -S option that set this value"


def load_params(path: Path) -> Params:
    """Reads and validates params.yaml.

    Raises:
        UserError: the file is missing or is no YAML.
        Problems: unknown keys (with the nearest known), wrong types, values not allowed, impossible
            combinations.
    """
    raw = read_document(path, FIX)
    params = read_params(raw, str(path))
    problems = combination_problems(params)
    if problems:
        raise Problems(f"{path} asks for what cannot be", problems, fix=FIX)
    return params


def read_params(raw: dict[str, Any], where: str, fix: str = FIX) -> Params:
    """Validates what a params file holds, key by key; what cannot be had together is not looked at.

    Raises:
        Problems: unknown keys (with the nearest known), wrong types, values not allowed.
    """
    try:
        return Params.model_validate(raw)
    except ValidationError as e:
        raise Problems(f"{where} is not valid", [_sentence(dict(row)) for row in e.errors()], fix=fix) from e


def _sentence(error: dict[str, Any]) -> str:
    loc: tuple[Any, ...] = error["loc"]
    name = ".".join(str(part) for part in loc)
    if error["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1])
        close = nearest(str(loc[-1]), known)
        hint = f"; did you mean `{close}`?" if close else "."
        return f"{name}: no such param{hint} Known here: {', '.join(known)}"
    if error["type"] == "model_type" and len(loc) == 1:
        got = "nothing" if error.get("input") is None else SHORT.repr(error.get("input"))
        return f"{name}: a section holds its params below it, indented; got {got}. Without any, remove it"
    return f"{name}: {error['msg']}; got {SHORT.repr(error.get('input'))}"


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Params
    for part in loc:
        field = model.model_fields.get(str(part))
        inner = field and _model_in(field.annotation)
        if not inner:
            return []
        model = inner
    return [f.alias or n for n, f in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, tuple):
        for part in typing.get_args(annotation):
            if found := _model_in(part):
                return found
    return None


def combination_problems(params: Params) -> list[str]:
    """What cannot be had together though each value is allowed, and values that name no file of a kind."""
    problems = [
        _name_problem("data.layout", "dataset.layouts", params.data.layout),
        _name_problem("detect.method", "detect.methods", params.detect.method),
        _name_problem("segment.method", "segment.methods", params.segment.method),
        _name_problem("compose.fill", "compose.fills", params.compose.fill),
        _name_problem("synthesize.backgrounds", "compose.backgrounds", params.synthesize.backgrounds),
        _name_problem("train.loss", "objective.losses", params.train.loss),
        _name_problem("train.heads", "objective.heads", params.train.heads),
    ]
    if params.split.validation_fold >= params.split.folds:
        problems.append(
            f"split.validation_fold: got {params.split.validation_fold}, "
            f"allowed 0 to {params.split.folds - 1} with split.folds {params.split.folds}"
        )
    if params.segment.method == "none":
        if params.compose.fill != "keep":
            problems.append(
                f"compose.fill: {params.compose.fill} needs mattes, but segment.method is none; "
                "set compose.fill: keep or segment.method: unet"
            )
        if params.synthesize.copies > 0:
            problems.append(
                f"synthesize.copies: {params.synthesize.copies:g} needs mattes, but segment.method is none; "
                "set synthesize.copies: 0 or segment.method: unet"
            )
        if params.train.background_swap > 0:
            problems.append(
                f"train.background_swap: {params.train.background_swap:g} needs mattes, but segment.method "
                "is none; set train.background_swap: 0 or segment.method: unet"
            )
    if params.train.background_swap > 0 and params.compose.fill != "keep":
        problems.append(
            f"train.background_swap: {params.train.background_swap:g} puts people on other backgrounds, but "
            f"compose.fill {params.compose.fill} takes every background away; set compose.fill: keep"
        )
    problems += _prior_problems(params)
    pasted = params.train.mix in ("cutmix", "both") and params.train.mix_boxes == "eyes"
    if pasted and params.detect.method != "mtcnn":
        problems.append(
            f"train.mix_boxes: eyes are found by detect.method mtcnn, not by {params.detect.method}; "
            "set detect.method: mtcnn or train.mix_boxes: random"
        )
    if params.synthesize.backgrounds == "folder" and not params.synthesize.folder:
        problems.append(
            "synthesize.folder: must name a folder of pictures when synthesize.backgrounds is folder"
        )
    return [p for p in problems if p]


def _prior_problems(params: Params) -> list[str]:
    """Why `predict.prior_correction` would correct what is no probability of a class."""
    if not params.predict.prior_correction:
        return []
    why = []
    if params.train.loss != "cross_entropy":
        why.append(f"train.loss {params.train.loss} does not ask for probabilities; set cross_entropy")
    if params.train.heads == "age_regression":
        why.append("train.heads age_regression answers in years; set joint, multitask or separate")
    if params.train.pseudo_labels is not None:
        why.append("with train.pseudo_labels the model has learnt its own answers to these photos; set null")
    return [f"predict.prior_correction: true takes probabilities of classes, but {reason}" for reason in why]


def _name_problem(param: str, kind: str, name: str) -> str:
    known = kind_names(kind)
    if name in known:
        return ""
    close = nearest(name, known)
    hint = f"; did you mean `{close}`?" if close else "."
    folder = f"pipeline/{kind.replace('.', '/')}/"
    return f"{param}: got {name!r}{hint} Allowed (files in {folder}): {', '.join(known)}"
