"""What every section of params.yaml shares."""

from __future__ import annotations

from typing import Annotated, Any

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
        if isinstance(value, bool) and "bool" not in str(kind):
            raise ValueError(f"YAML reads yes, no, on, off as true, false; {MEANT}")
        return value
