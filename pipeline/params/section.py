"""What all sections of params.yaml have in common, and the types of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

YES_NO = {"yes", "no", "on", "off", "y", "n"}  # words in YAML 1.2, and true or false in YAML 1.1

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Level = Annotated[int, Field(ge=0, le=255)]
Scale = Annotated[float, Field(gt=0, le=8)]
Row = tuple[float, float, float]
Backend = Literal["auto", "openvino", "torch"]
Argument = bool | int | float | str


def _refuse_overlooked(arguments: dict[str, Argument]) -> dict[str, Argument]:
    """DVC's run cache leaves keys of these names out of its key, and would return another network."""
    if overlooked := {"size", "nfiles"} & set(arguments):
        raise ValueError(f"DVC overlooks a change of {overlooked.pop()}; set it another way")
    return arguments


ModelArgs = Annotated[dict[str, Argument], AfterValidator(_refuse_overlooked)]


class Section(BaseModel):
    """A section of params.yaml: refuses unknown keys, does not guess types, is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_ambiguous_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """`epochs: true` would count as 1, and `adaptive: yes` is a word in YAML 1.2."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if "bool" not in str(kind):
            if _contains(value, lambda v: isinstance(v, bool)):
                raise ValueError("true and false are not allowed; write a number, or a word in quotes")
        elif kind is bool and not isinstance(value, bool):
            raise ValueError("write true or false")
        elif _contains(
            [*value.values()] if isinstance(value, dict) else value,
            lambda v: isinstance(v, str) and v.lower() in YES_NO,
        ):
            raise ValueError("yes, no, on, off are text in YAML 1.2; write true or false")
        return value


def _contains(value: Any, is_one: Callable[[Any], bool]) -> bool:
    """Whether `is_one` holds for `value` or anything in its lists, and in mappings there. Visits each list
    once: YAML aliases can repeat a list a billion times, or nest it in itself.
    """
    pending: list[Any] = [value]
    visited: set[int] = set()
    while pending:
        one = pending.pop()
        if is_one(one):
            return True
        if isinstance(one, list | tuple) and id(cast(object, one)) not in visited:
            visited.add(id(cast(object, one)))
            for item in cast(Sequence[Any], one):
                pending += [*cast(dict[Any, Any], item).values()] if isinstance(item, dict) else [item]
    return False
