"""The sections of params.yaml that train a model and ask it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.labels import MIDDLE_FROM, OLD_FROM, OLDEST
from pipeline.params.section import ModelArgs, Row, Scale, Section, Seed

TaskName = Literal["mask", "gender", "age"]
MAX_SHIFT = 5  # years by which a learnt bound may differ from the official one


class Train(Section):
    """Everything that decides what is learnt, so every key is a dependency of `train`."""

    model: str = "resnet10t"  # a timm name, or features
    model_args: ModelArgs = Field(default={})
    pretrained: bool | str = False
    normalize: Literal["model", "imagenet", "half"] = "model"
    face_features: Literal["none", "append"] = "none"
    heads: str = "multitask"  # a file in pipeline/objective/heads/
    age_bounds: tuple[float, float] = (30.0, 60.0)
    age_classes: tuple[int, ...] = ()  # empty: the three groups
    loss: str | tuple[dict[str, float], ...] = "cross_entropy"  # of pipeline/objective/losses/
    class_weights: Literal["none", "inverse", "effective"] = "none"
    effective_beta: float = Field(default=0.999, gt=0, lt=1)
    focal_gamma: float = Field(default=2.0, ge=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    age_soft: tuple[Row, Row, Row] = ((0.8, 0.2, 0.0), (0.1, 0.8, 0.1), (0.0, 0.2, 0.8))
    soft_ordinal_scale: float = Field(default=1.0, gt=0, le=100)
    size: int = Field(default=64, ge=16, le=1024)
    task_size: dict[TaskName, Annotated[int, Field(ge=16, le=1024)]] = Field(default={})
    task_crop: dict[TaskName, Annotated[float, Field(ge=0.2, le=1)]] = Field(default={})
    sampler: Literal["none", "class", "age", "one_mask", "one_mask_class", "one_mask_age"] = "one_mask"
    augment: str | tuple[str, ...] = "flip_shift_colour_noise"  # a recipe, or single operations by name
    extra_weight: float = Field(default=1.0, ge=0, le=100)
    background_swap: float = Field(default=0.0, ge=0, le=1)
    mix: Literal["none", "mixup", "cutmix", "both"] = "cutmix"
    cutmix_boxes: Literal["random", "upper_half", "eyes"] = "random"
    mix_alpha: float = Field(default=1.0, gt=0)
    mix_probability: float = Field(default=0.5, ge=0, le=1)
    epochs: int = Field(default=20, ge=1, le=10_000)
    batch_size: int = Field(default=64, ge=2, le=65_536)
    optimizer: str = "adamw"
    lr: float = Field(default=0.003, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["cosine", "step", "plateau", "constant"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0)
    decay_epochs: int = Field(default=5, ge=1)
    decay_rate: float = Field(default=0.3, gt=0, lt=1)
    patience: int = Field(default=3, ge=0)
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    early_stopping: int = Field(default=0, ge=0)
    clip_grad: float = Field(default=0.0, ge=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    freeze_epochs: int = Field(default=0, ge=0)
    folds: Literal["one", "all"] = "one"
    pseudo_labels: float | None = Field(default=None, gt=0, lt=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = Field(default=1, ge=1, le=256)
    precision: Literal["auto", "f32", "bf16", "f16"] = "auto"
    seed: Seed = 0

    @field_validator("loss")
    @classmethod
    def _each_loss_has_a_weight(
        cls, loss: str | tuple[dict[str, float], ...]
    ) -> str | tuple[dict[str, float], ...]:
        if isinstance(loss, str):
            return loss
        names = [name for part in loss for name in part]
        if not loss or any(len(part) != 1 for part in loss) or len(set(names)) < len(names):
            raise ValueError("must be a name, or a list of different losses like [{f1: 0.4}, {focal: 0.6}]")
        if not all(0 < weight < float("inf") for part in loss for weight in part.values()):
            raise ValueError("the weight of each loss must be above 0")
        return loss

    @property
    def losses(self) -> dict[str, float]:
        """Name → weight of the losses whose weighted sum is minimised."""
        if isinstance(self.loss, str):
            return {self.loss: 1.0}
        return {name: weight for part in self.loss for name, weight in part.items()}

    @property
    def eyes_for(self) -> tuple[str, ...]:
        """What needs to know where the eyes are, as `param: value`; () for nothing."""
        names = (self.augment,) if isinstance(self.augment, str) else self.augment
        needs = tuple(f"train.augment: {name}" for name in names if name.startswith("occlude_"))
        pasted = self.mix in ("cutmix", "both") and self.cutmix_boxes == "eyes"
        return (*needs, "train.cutmix_boxes: eyes") if pasted else needs

    @field_validator("age_classes")
    @classmethod
    def _every_class_has_a_group(cls, bounds: tuple[int, ...]) -> tuple[int, ...]:
        if bounds and not (bounds[0] > 0 and bounds[-1] <= OLDEST and list(bounds) == sorted(set(bounds))):
            raise ValueError(f"must be rising whole years from 1 to {OLDEST}, like [20, 30, 45, 60]")
        for official in (MIDDLE_FROM, OLD_FROM) if bounds else ():
            distances = sorted(abs(bound - official) for bound in bounds)
            if distances[0] > MAX_SHIFT or distances[0] == (*distances, -1)[1]:
                raise ValueError(
                    f"one bound must lie at {official} or within {MAX_SHIFT} years of it, nearer than the "
                    "others: there the answer changes its age group, and no class may lie in two groups"
                )
        return bounds

    @property
    def age_cuts(self) -> tuple[int, int]:
        """Years where middle and old begin in the answer: of `age_classes` the nearest to 30 and 60."""
        if not self.age_classes:
            return MIDDLE_FROM, OLD_FROM
        middle, old = (
            min(self.age_classes, key=lambda bound: abs(bound - official))
            for official in (MIDDLE_FROM, OLD_FROM)
        )
        return middle, old

    @field_validator("age_soft")
    @classmethod
    def _rows_are_distributions(cls, rows: tuple[Row, Row, Row]) -> tuple[Row, Row, Row]:
        for row in rows:
            if min(row) < 0 or abs(sum(row) - 1) > 1e-6:
                raise ValueError("each row must be three shares >= 0 that sum to 1")
        return rows

    @model_validator(mode="after")
    def _own_views_are_for_own_networks(self) -> Train:
        if (self.task_size or self.task_crop) and self.heads != "separate":
            raise ValueError("task_size and task_crop are for heads separate, a network for each task")
        if any(size > self.size for size in self.task_size.values()):
            raise ValueError(f"task_size may not exceed size, {self.size}, which all pictures have")
        return self

    @model_validator(mode="after")
    def _pasted_eyes_are_seen(self) -> Train:
        if {"train.augment: occlude_eyes", "train.cutmix_boxes: eyes"} <= set(self.eyes_for):
            raise ValueError(
                "augment occlude_eyes hides the eyes that cutmix_boxes eyes pastes; take one of them"
            )
        return self

    @model_validator(mode="after")
    def _no_freezing_with_processes(self) -> Train:
        if self.processes > 1 and self.freeze_epochs:
            raise ValueError("freeze_epochs is for one process; set processes: 1")
        return self

    @field_validator("age_bounds")
    @classmethod
    def _bounds_rise(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not 0 < bounds[0] < bounds[1] <= 120:
            raise ValueError("must be two rising ages in years")
        return bounds


Decision = Literal["likeliest", "macro_f1"]


class Inference(Section):
    """Inference with a trained model."""

    batch_size: int = Field(default=64, ge=1, le=65_536)
    tta_flip: bool = False
    tta_scales: tuple[Scale, ...] = Field(default=(1.0,), min_length=1)
    decision: Decision = "likeliest"


class Evaluate(Inference):
    """Scores on people not in training."""

    bootstrap: int = Field(default=1000, ge=100, le=1_000_000)
    seed: Seed = 0


class Predict(Inference):
    """Predictions for photos without labels."""

    vote: Literal["soft", "hard"] = "soft"
    prior_correction: bool = False
