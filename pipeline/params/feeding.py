"""The part of `train` that says what the network is fed: size, sampling, augmentation, mixing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.params.section import Section


class Feeding(Section):
    """What happens to a picture between the disk and the network."""

    size: int = Field(default=64, ge=16, le=1024)  # pixels that the network sees
    sampler: Literal["none", "class", "age"] = "none"  # which groups are drawn equally often
    augment: str | tuple[str, ...] = "flip_shift_colour_noise"  # a recipe, or single operations by name
    background_swap: float = Field(default=0.0, ge=0, le=1)  # share of the pictures put on another background
    mix: Literal["none", "mixup", "cutmix", "both"] = "cutmix"
    mix_boxes: Literal["random", "upper_half", "eyes"] = "random"  # what cutmix pastes
    mix_alpha: float = Field(default=1.0, gt=0)
    mix_probability: float = Field(default=0.5, ge=0, le=1)
