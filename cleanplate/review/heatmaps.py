"""Grad-CAM heat maps of the trained model, on demand."""

from __future__ import annotations

import importlib.util
import threading
from typing import Any

import cv2
import numpy as np

from cleanplate.review.photos import Unreadable, encode_small
from pipeline.io.image_store import ImageStore, composed_name
from pipeline.runtime.errors import UserError
from stages.shared.artefacts import COMPOSED, FOLDS, MODEL
from stages.shared.face_numbers import faces_to_append
from stages.shared.model import read_config

OPACITY = 0.5  # of the colours over the picture


class HeatMaps:
    """Draws heat maps over the composed pictures, the model's input.

    Uses the model that was not trained on the photo's person, if there is one.
    """

    def __init__(self) -> None:
        self.available = (
            (MODEL / "config.json").is_file()
            and COMPOSED.path.is_dir()
            and FOLDS.path.is_file()
            and importlib.util.find_spec("pipeline.analysis.reliance.gradcam") is not None
        )
        self._pictures = ImageStore.opened(COMPOSED.path, COMPOSED.stage)
        self._models: dict[int, Any] = {}
        self._lock = threading.Lock()  # one map at a time: each takes all cores

    def get(self, image: str, person: str, field: str) -> bytes:
        """A JPEG: the composed picture, from blue (no influence) to red (most) on the answer about `field`.

        Args:
            image: a photo's key.
            person: the photo's person.
            field: gender, age or mask; for others the map of the class.

        Raises:
            Unreadable: there is no model or no picture, or the network has no feature maps.
        """
        if not self.available:
            raise Unreadable("there is no trained model: run `dvc repro train`")
        with self._lock:
            try:
                picture = self._pictures.photo(composed_name(image))
                cam = self._cam(picture, image, person, field)
            except UserError as e:
                raise Unreadable(str(e).splitlines()[0]) from e
        return encode_small(overlay(picture, cam))

    def _cam(self, picture: np.ndarray, image: str, person: str, field: str) -> np.ndarray:
        from pipeline.analysis.reliance.gradcam import cams
        from pipeline.train.config import resolve_config
        from pipeline.train.data import Pictures
        from pipeline.train.face_features import FEATURES
        from pipeline.train.network import to_images

        config = read_config()
        if config.train.model == FEATURES:
            raise Unreadable("a model on face networks' numbers does not look at pictures")
        resolved = resolve_config(config.train)
        fold = self._fold(person, config.folds)
        if fold not in self._models:
            from pipeline.train.inference import load_model

            self._models[fold] = load_model(MODEL, resolved, fold)
        size = config.train.size
        shrinks = size < max(picture.shape[:2])  # scaled as in training
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        small = cv2.resize(picture, (size, size), interpolation=interpolation)
        shown = Pictures((small[None],), faces_to_append(config.train, [image]))
        first = np.zeros(1, np.int64)
        images = to_images(shown.gather(first), resolved.device)
        faces = shown.gather_faces(first, resolved.device)
        maps = cams(self._models[fold], images, config.train, faces)
        if maps is None:
            raise Unreadable("this network has no feature maps for Grad-CAM")
        return maps[field if field in maps else "class"][0].numpy()

    @staticmethod
    def _fold(person: str, folds: list[int]) -> int:
        table = FOLDS.read("person", "fold")
        own = table.loc[table["person"] == person, "fold"]
        return int(own.iloc[0]) if len(own) and int(own.iloc[0]) in folds else folds[0]


def overlay(picture: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] RGB: the picture under its map.

    Args:
        picture: uint8 [H, W, 3] RGB.
        cam: float [S, S], ≥ 0; scaled to its own maximum.
    """
    level = np.asarray(cam, np.float32) / max(float(cam.max()), 1e-12)
    level = cv2.resize(level, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.rint(level.clip(0, 1) * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    return cv2.addWeighted(picture, 1 - OPACITY, np.ascontiguousarray(colours[:, :, ::-1]), OPACITY, 0)
