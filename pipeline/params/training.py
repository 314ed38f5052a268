"""`train`: the network, what it minimises, and how long. What it is fed is in feeding.py."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.params.feeding import Feeding
from pipeline.params.section import Seed

Row = tuple[float, float, float]


class Train(Feeding):
    """Everything that decides what is learnt, so every key is a dependency of `train`."""

    model: str = "resnet18"  # any timm name
    model_args: dict[str, bool | int | float | str] = Field(default={})  # more arguments of timm.create_model
    pretrained: bool | str = False  # true = timm's weights, or a local checkpoint
    normalize: Literal["model", "imagenet", "half"] = "model"  # model = as timm says; half = to [-1, 1]
    heads: str = "multitask"  # a file in pipeline/objective/heads/
    age_bounds: tuple[float, float] = (30.0, 60.0)  # heads age_regression: years where middle and old begin
    loss: str = "cross_entropy"  # a file in pipeline/objective/losses/
    class_weights: Literal["none", "inverse", "effective"] = "none"
    effective_beta: float = Field(default=0.999, gt=0, lt=1)
    focal_gamma: float = Field(default=2.0, ge=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    age_soft: tuple[Row, Row, Row] = ((0.8, 0.2, 0.0), (0.1, 0.8, 0.1), (0.0, 0.2, 0.8))
    epochs: int = Field(default=16, ge=1, le=10_000)
    batch_size: int = Field(default=64, ge=2, le=65_536)
    optimizer: str = "adamw"  # any timm optimizer
    lr: float = Field(default=0.002, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["cosine", "step", "plateau", "constant"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0)
    step_epochs: int = Field(default=5, ge=1)  # schedule step: epochs between drops
    step_rate: float = Field(default=0.3, gt=0, lt=1)  # schedule step and plateau: factor of a drop
    patience: int = Field(default=3, ge=0)  # schedule plateau: epochs without improvement before a drop
    ema: float = Field(default=0.0, ge=0, lt=1)  # decay of the averaged weights; 0 = off
    early_stopping: int = Field(default=0, ge=0)  # epochs without improvement before the end; 0 = off
    clip: float = Field(default=0.0, ge=0)  # largest norm of the gradient; 0 = off
    layer_decay: float = Field(
        default=1.0, gt=0, le=1
    )  # learning rate of a layer over that of the next; 1 = off
    freeze_epochs: int = Field(default=0, ge=0)  # epochs at the start in which only the heads learn
    folds: Literal["one", "all"] = "one"  # one = split.validation_fold is held out; all = each in turn
    pseudo_labels: float | None = Field(default=None, gt=0, lt=1)  # see docs/decisions.md; null = off
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "f32", "bf16", "f16"] = "auto"
    processes: int = Field(default=1, ge=1, le=256)  # each learns its share of every batch; one per GPU
    seed: Seed = 0

    @field_validator("age_soft")
    @classmethod
    def _rows_are_distributions(cls, rows: tuple[Row, Row, Row]) -> tuple[Row, Row, Row]:
        for row in rows:
            if min(row) < 0 or abs(sum(row) - 1) > 1e-6:
                raise ValueError("each row must be three shares >= 0 that sum to 1")
        return rows

    @model_validator(mode="after")
    def _processes_learn_everything(self) -> Train:
        if self.processes > 1 and self.freeze_epochs:
            raise ValueError("freeze_epochs is for one process; set processes: 1")
        return self

    @field_validator("age_bounds")
    @classmethod
    def _bounds_rise(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not 0 < bounds[0] < bounds[1] <= 120:
            raise ValueError("must be two rising ages in years")
        return bounds
