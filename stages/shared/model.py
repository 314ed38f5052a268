"""The trained model: its config, and its predictions for photos."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from pipeline.io.atomic import verified_folder
from pipeline.io.image_store import composed_name
from pipeline.params.learning import Inference, Train
from pipeline.runtime.errors import UserError
from pipeline.train.face_features import FEATURES, predict_features, read_features
from stages.shared.artefacts import COMPOSED, FACES, MODEL
from stages.shared.command import Stage
from stages.shared.face_numbers import faces_to_append


@dataclass(frozen=True)
class ModelConfig:
    """build/model/config.json.

    Args:
        train: the `train` section that the model was trained with.
        folds: the folds held out, each with a model of its own.
        class_counts: training photos of each class 0-17.
        learnt_mix: class prior of each fold's model, float [18].
    """

    train: Train
    folds: list[int]
    class_counts: list[int]
    learnt_mix: dict[int, list[float]]


def read_config(model: Path = MODEL) -> ModelConfig:
    """The config of the trained model in the folder `model`.

    Raises:
        UserError: it is missing, or was written by another version.
    """
    verified_folder(model, "train")
    try:
        raw = json.loads((model / "config.json").read_text(encoding="utf-8"))
        folds = sorted(int(fold) for fold in raw["folds"])
        mixes = {int(fold): list(mix) for fold, mix in raw["learnt_mix"].items()}
        return ModelConfig(Train.model_validate(raw["train"]), folds, list(raw["class_counts"]), mixes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as e:
        fix = "run `dvc repro --force train`"
        raise UserError(
            "the model's settings cannot be read", where=model / "config.json", got=str(e), fix=fix
        ) from e


def predict_each(
    config: ModelConfig, folds: list[int], images: list[str], stage: Stage, how: Inference
) -> np.ndarray:
    """float64 [F, N, 18]: probabilities for composed photos, from the model of each of `folds`.

    Args:
        images: keys of photos; their pictures are below build/images.
    """
    return np.stack(predict_groups(config, [(fold, images) for fold in folds], stage, how))


def predict_groups(
    config: ModelConfig, groups: list[tuple[int, list[str]]], stage: Stage, how: Inference
) -> list[np.ndarray]:
    """float64 [n, 18] for each (fold, keys of photos): probabilities from the model of that fold."""
    if config.train.model == FEATURES:
        return [_predict_from_features(fold, images) for fold, images in groups]
    from pipeline.train.model_worker import Asked, Models, ask_models

    asked = [
        Asked(fold, [composed_name(image) for image in images], faces_to_append(config.train, images))
        for fold, images in groups
    ]
    models = Models(config.train, how, MODEL, COMPOSED.open())
    return ask_models(models, asked, stage.params.machine, stage.name)


def _predict_from_features(fold: int, images: list[str]) -> np.ndarray:
    """As `predict_groups`, by the linear model on the numbers of face networks."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    features, path = read_features(FACES.read(), images), MODEL / f"fold{fold}" / "model.safetensors"
    try:
        return predict_features(load_file(path), features)
    except (OSError, SafetensorError, KeyError) as e:
        fix = "run `dvc repro train`"
        raise UserError("a trained model cannot be loaded", where=path, got=str(e), fix=fix) from e
