"""`evaluate` and `predict`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.section import Section, Seed

Scale = Annotated[float, Field(gt=0, le=8)]


class Inference(Section):
    """How a trained model is asked."""

    batch_size: int = Field(default=64, ge=1, le=65_536)
    tta_flip: bool = False  # also ask about the mirrored picture, and average
    tta_scales: tuple[Scale, ...] = Field(
        default=(1.0,), min_length=1
    )  # also ask at other sizes, as shares of train.size


class Evaluate(Inference):
    """Scores on people that the model has not seen."""

    bootstrap: int = Field(default=1000, ge=100, le=1_000_000)  # resamples of people behind each interval
    seed: Seed = 0


class Predict(Inference):
    """Answers for photos without labels."""

    vote: Literal["soft", "hard"] = "soft"  # train.folds all: mean of the models' probabilities, or majority
    prior_correction: bool = False  # correct for a mix of classes that differs from the one learnt
