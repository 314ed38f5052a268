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


def predict(
    config: ModelConfig, folds: list[int], images: list[str], stage: Stage, how: Inference
) -> np.ndarray:
    """float64 [N, 18]: probabilities for composed photos, averaged over the models of `folds`."""
    return predict_each(config, folds, images, stage, how).mean(axis=0)


def predict_each(
    config: ModelConfig, folds: list[int], images: list[str], stage: Stage, how: Inference
) -> np.ndarray:
    """float64 [F, N, 18]: probabilities for composed photos, from the model of each of `folds`.

    Args:
        images: keys of photos; their pictures are below build/images.
    """
    if config.train.model == FEATURES:
        return _predict_from_features(folds, images)
    from pipeline.train.model_worker import ask_models

    names, faces = [composed_name(image) for image in images], faces_to_append(config.train, images)
    machine, model = stage.params.machine, (MODEL, folds)
    return ask_models(config.train, how, COMPOSED.open(), names, faces, model, machine, stage.name)


def _predict_from_features(folds: list[int], images: list[str]) -> np.ndarray:
    """As `predict_each`, by the linear models on the numbers of face networks."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    features = read_features(FACES.read(), images)
    each: list[np.ndarray] = []
    for fold in folds:
        path = MODEL / f"fold{fold}" / "model.safetensors"
        try:
            each.append(predict_features(load_file(path), features))
        except (OSError, SafetensorError, KeyError) as e:
            fix = "run `dvc repro train`"
            raise UserError("a trained model cannot be loaded", where=path, got=str(e), fix=fix) from e
    return np.stack(each)
