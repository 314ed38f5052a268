"""The schema of params.yaml: all sections, with the same defaults, and those that look at data and results.

params.yaml documents the params for users; comments here are for developers.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.params.learning import Evaluate, Predict, Train
from pipeline.params.machine import Machine
from pipeline.params.preparation import (
    Compose,
    Data,
    Detect,
    Faces,
    FitSegmenter,
    Ingest,
    Relabel,
    Segment,
    Split,
    Synthesize,
)
from pipeline.params.section import ModelArgs, Section, Seed


class Reliance(Section):
    """Predictions for validation photos on other backgrounds, and Grad-CAM."""

    backgrounds_per_photo: int = Field(default=3, ge=1, le=100)
    backgrounds: Literal["others", "procedural"] = "others"
    max_people: int | None = Field(default=300, ge=1)
    seed: Seed = 0


class Audit(Section):
    """Search for wrong labels."""

    model: str | None = None
    model_args: ModelArgs = Field(default={})
    pretrained: bool | str = True
    normalize: Literal["model", "imagenet", "half"] = "model"
    size: int = Field(default=160, ge=32, le=1024)
    l2: float = Field(default=1000.0, gt=0)  # 1 / sklearn's C
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    max_hash_distance: int = Field(default=20, ge=0, le=256)
    min_cosine: float = Field(default=0.9, ge=-1, le=1)
    bootstrap: int = Field(default=1000, ge=100, le=1_000_000)
    seed: Seed = 0

    @model_validator(mode="after")
    def _model_needs_weights(self) -> Audit:
        if self.model and self.pretrained is False:
            raise ValueError("a model without weights is useless; set pretrained, or leave model empty")
        return self


class Explore(Section):
    """Statistics of the data."""

    l2: float = Field(default=100.0, gt=0)
    bootstrap: int = Field(default=1000, ge=100, le=1_000_000)
    permutations: int = Field(default=500, ge=100, le=1_000_000)
    max_hash_distance: int = Field(default=20, ge=0, le=256)
    min_cosine: float = Field(default=0.9, ge=-1, le=1)
    sheet_photos: int = Field(default=12, ge=1, le=100)
    seed: Seed = 0


class Params(Section):
    """The whole file. Omitted sections have their defaults."""

    data: Data
    ingest: Ingest = Ingest()
    relabel: Relabel = Relabel()
    split: Split = Split()
    detect: Detect = Detect()
    faces: Faces = Faces()
    fit_segmenter: FitSegmenter = FitSegmenter()
    segment: Segment = Segment()
    compose: Compose = Compose()
    synthesize: Synthesize = Synthesize()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    predict: Predict = Predict()
    reliance: Reliance = Reliance()
    audit: Audit = Audit()
    explore: Explore = Explore()
    machine: Machine = Machine()
