"""`relabel` and `split`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, field_validator, model_validator

from pipeline.params.section import Section, Seed

# As in pipeline/labels.py, which every stage would depend on if the schema imported it.
MIDDLE_FROM, OLD_FROM, OLDEST = 30, 60, 120


class AgeRule(Section):
    """In training, count people of age `from` as if they were of age `to`. Rules are not chained."""

    from_: int = Field(alias="from", ge=0, le=OLDEST)
    to: int = Field(ge=0, le=OLDEST)


class Relabel(Section):
    """Facts (corrections) change true and training label; rules change the training target only."""

    corrections: str = Field(default="data/corrections.csv", min_length=1)
    age_rules: tuple[AgeRule, ...] = ()
    drop_train_ages: tuple[int, ...] = ()
    old_from: int = Field(
        default=OLD_FROM, gt=MIDDLE_FROM, le=OLDEST
    )  # training target only; the true label keeps 60

    @field_validator("age_rules")
    @classmethod
    def _one_rule_per_age(cls, rules: tuple[AgeRule, ...]) -> tuple[AgeRule, ...]:
        twice = _twice([rule.from_ for rule in rules])
        if twice:
            raise ValueError(f"more than one rule for age {', '.join(map(str, twice))}")
        return rules

    @field_validator("drop_train_ages")
    @classmethod
    def _possible_ages(cls, ages: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= age <= OLDEST for age in ages):
            raise ValueError(f"ages are whole years from 0 to {OLDEST}")
        return ages

    @model_validator(mode="after")
    def _no_rule_for_dropped(self) -> Relabel:
        both = sorted({rule.from_ for rule in self.age_rules} & set(self.drop_train_ages))
        if both:
            raise ValueError(f"age {', '.join(map(str, both))} is in both age_rules and drop_train_ages")
        return self


class Split(Section):
    """Folds by person."""

    folds: int = Field(default=5, ge=2, le=100)
    validation_fold: int = Field(default=0, ge=0)
    seed: Seed = 0


def _twice(values: Sequence[int]) -> list[int]:
    return sorted({v for v in values if values.count(v) > 1})
