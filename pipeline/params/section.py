"""What every section of params.yaml shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

MEANT = "write a number, or a word in quotes"
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Section(BaseModel):
    """A section of params.yaml: unknown keys are refused, types are not guessed, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_word_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """`epochs: yes` is true in YAML, and true would count as 1."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if "bool" not in str(kind) and _holds_bool(value):
            raise ValueError(f"YAML reads yes, no, on, off as true, false; {MEANT}")
        return value


def _holds_bool(value: Any) -> bool:
    """Whether true or false is there, or anywhere in a list: each list is looked into once, for YAML can
    repeat one a billion times, or put it into itself.
    """
    waiting: list[Any] = [value]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, bool):
            return True
        if isinstance(one, list | tuple) and id(cast(object, one)) not in seen:
            seen.add(id(cast(object, one)))
            waiting += cast(Sequence[Any], one)
    return False
