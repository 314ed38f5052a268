"""`reliance`: does the model look at the background?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.params.section import Section, Seed


class Reliance(Section):
    """Validation photos asked about again on other backgrounds, and Grad-CAM."""

    swaps: int = Field(default=3, ge=1, le=100)  # other backgrounds for each photo
    backgrounds: Literal["others", "procedural"] = "others"  # others: of people of the same validation fold
    people: int | None = Field(default=300, ge=1)  # at most so many people are looked at; null = all
    seed: Seed = 0
