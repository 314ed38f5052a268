"""`audit` and `explore`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.params.section import Section


class Audit(Section):
    """Whose labels are probably wrong."""

    model: str | None = None  # any timm name: its features join the descriptors; null = none
    model_args: dict[str, bool | int | float | str] = Field(default={})
    pretrained: bool | str = True  # true = timm's weights, or a local checkpoint
    normalize: Literal["model", "imagenet", "half"] = "model"
    size: int = Field(default=160, ge=32, le=1024)  # pixels of the face that model and descriptors see
    strength: float = Field(default=0.001, gt=0)  # 1 / L2 penalty of the logistic regressions
    least: float = Field(default=0.5, ge=0, le=1)  # confidence from which a label is listed
    hash_bits: int = Field(default=20, ge=0, le=256)  # of 256, in which hashes of one photo may differ
    cosine: float = Field(default=0.9, ge=-1, le=1)  # how alike its features must be besides
    bootstrap: int = Field(default=1000, ge=100)  # resamples of people behind each interval
    seed: int = 0

    @model_validator(mode="after")
    def _features_of_something_learnt(self) -> Audit:
        if self.model and self.pretrained is False:
            raise ValueError("a model without weights says nothing; set pretrained, or model: null")
        return self


class Explore(Section):
    """What the data look like."""

    strength: float = Field(default=0.01, gt=0)  # 1 / L2 penalty of the background's linear probes
    bootstrap: int = Field(default=1000, ge=100)
    shuffles: int = Field(default=500, ge=100)  # of the labels: what a probe finds by chance
    hash_bits: int = Field(default=20, ge=0, le=256)  # of 256, in which hashes of one photo may differ
    cosine: float = Field(default=0.9, ge=-1, le=1)
    sheet_photos: int = Field(default=12, ge=1, le=100)  # photos of each class on its contact sheet
    seed: int = 0
