"""The exported chain, ready to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.predict.chain import Chain, read_chain
from cleanplate.predict.detectors import Detect, Found, load_detector
from cleanplate.predict.person import Person, View
from cleanplate.predict.runtimes import Network, load_network, runtime_of
from cleanplate.predict.segmenters import Segment, load_segmenter
from pipeline.compose.composite import person_of
from pipeline.compose.crop import NEUTRAL, at_network_size, cut, inside, placement, square_around, whole_frame
from pipeline.dataset.usable import checked_header
from pipeline.detect.boxes import NOT_RUN
from pipeline.evaluate.calibration import tempered
from pipeline.evaluate.vote import hard_vote
from pipeline.io.photo import decode_photo, encode_jpeg
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.seeds import generator

Photo = tuple[np.ndarray, Callable[[int], np.ndarray]]
"""uint8 [H, W, 3] RGB, and the same reduced by 1, 2, 4 or 8."""


class Model:
    """Answers who is in a photo: mask, gender and age group of each person, with probabilities.

    Several threads may ask one model at once. Nothing is written, and nothing is sent anywhere.

    Args:
        chain: the steps.
        detect, segment: its detector and segmenter.
        classifiers: its classifiers, in the order of the chain.
    """

    def __init__(
        self, chain: Chain, detect: Detect, segment: Segment | None, classifiers: Sequence[Network]
    ) -> None:
        self.chain, self.detect, self.segment, self.classifiers = chain, detect, segment, list(classifiers)
        self.fill: Any = load_plugin("compose.fills", chain.compose.fill)

    @staticmethod
    def load(folder: str | Path, runtime: str = "auto") -> Model:
        """The model in a folder that `cleanplate export` wrote.

        Args:
            folder: of the export.
            runtime: `openvino`, `onnxruntime`, or `auto` for whichever is installed.

        Raises:
            UserError: not an export, files that are missing or changed, no runtime.
        """
        chain, chosen = read_chain(Path(folder)), runtime_of(runtime)
        cv2.setNumThreads(1)  # the threads that ask share the CPUs
        names = chain.classify.networks
        classifiers = [load_network(chain.folder, name, chosen) for name in names]
        return Model(chain, load_detector(chain, chosen), load_segmenter(chain, chosen), classifiers)

    def __call__(self, image: np.ndarray, *, name: str = "", most: int | None = None) -> list[Person]:
        """The people in a picture, the main one first; none, where nobody was found.

        Of a large JPEG, `photo` decodes only as much as it needs, as the stages do: its probabilities may
        then differ from those about the whole picture, by about .01.

        Args:
            image: uint8 [H, W, 3] RGB, upright.
            name: of the photo; only `compose.fill: noise` depends on it.
            most: at most so many people; 1 is faster than all.

        Raises:
            UserError: `image` is not such an array.
        """
        return [person for person, _ in self._people(_of_array(image), name, most, self._needs_matte)]

    def photo(self, data: bytes, *, name: str = "photo", most: int | None = None) -> list[Person]:
        """As `__call__`, of the bytes of a JPEG or PNG file; just as the pipeline's stages treat the file.

        Raises:
            pipeline.io.photo.PhotoError, pipeline.dataset.safe_files.Unusable: `ingest` would refuse it; both
                have a `reason` and an `advice`.
        """
        return [
            person for person, _ in self._people(self._of_bytes(data, name), name, most, self._needs_matte)
        ]

    def look(self, data: bytes, *, most: int | None = None, small: bool = True) -> list[tuple[Person, View]]:
        """As `photo`, with what the chain made of each person, and the matte where there is a segmenter.

        Args:
            small: False = MTCNN leaves out small faces beside a large one, in half of the time: for a camera.
        """
        return self._people(self._of_bytes(data, "photo"), "photo", most, self.segment is not None, small)

    def answer(self, pictures: np.ndarray, views: Sequence[Found] | None = None) -> list[Person]:
        """Answers about pictures as the classifier sees them, uint8 [N, S, S, 3] RGB, N ≥ 1."""
        size = self.chain.classify.size
        whole = Found(np.array([0, 0, size, size], np.float32), float("nan"), NOT_RUN)
        found = list(views) if views is not None else [whole] * len(pictures)
        each = np.stack([network(pictures)[0].astype(np.float64) for network in self.classifiers])
        raw = each.mean(axis=0)
        hard = self.chain.classify.vote == "hard"
        codes = hard_vote(each.argmax(axis=2), np.ones(len(each))) if hard else raw.argmax(axis=1)
        calibrated = tempered(raw, self.chain.temperature)
        return [
            Person(face, one.box, one.score, one.status, int(code), p, before)
            for face, (one, code, p, before) in enumerate(zip(found, codes, calibrated, raw, strict=True))
        ]

    def on_background(self, view: View, background: np.ndarray) -> np.ndarray:
        """What the classifier would see of a person on another background.

        Args:
            view: with a matte.
            background: uint8 [M, M, 3] RGB, of the size of `view.crop`.

        Returns:
            uint8 [S, S, 3] RGB.
        """
        if view.matte is None:
            raise UserError("this export has no segmenter, so no person can be cut out", got="segment: null")
        return self._seen(person_of(view.crop, view.matte, view.valid).on(background))

    @property
    def _needs_matte(self) -> bool:
        return self.chain.compose.needs_matte

    def _of_bytes(self, data: bytes, name: str) -> Photo:
        rules = self.chain.photo
        header = checked_header(data, name, rules.max_pixels, rules.min_side)

        @cache
        def reduced(by: int) -> np.ndarray:
            return decode_photo(data, rules.transparent_rgb, name, header=header, reduction=by)

        return reduced(1), reduced

    def _people(
        self, photo: Photo, name: str, most: int | None, with_matte: bool, small: bool = True
    ) -> list[tuple[Person, View]]:
        pixels, reduced = photo
        found = self.detect(pixels, most, small)
        if not found:
            return []
        alpha = self.segment(pixels) if with_matte and self.segment else None
        views = [self._view(one, pixels, reduced, alpha, name, face) for face, one in enumerate(found)]
        people = self.answer(np.stack([view.picture for view in views]), found)
        return list(zip(people, views, strict=True))

    def _view(
        self,
        found: Found,
        pixels: np.ndarray,
        reduced: Callable[[int], np.ndarray],
        alpha: np.ndarray | None,
        name: str,
        face: int,
    ) -> View:
        """The steps of the stage `compose`, for one person."""
        compose, (height, width) = self.chain.compose, pixels.shape[:2]
        x1, y1, x2, y2 = (float(edge) for edge in found.box)
        boxed = found.status != NOT_RUN
        square = square_around((x1, y1, x2, y2), compose.margin) if boxed else whole_frame(width, height)
        where = placement(square, width, height, compose.size)
        crop = cut(reduced(where.reduction), where.reduced(), compose.size, NEUTRAL)
        valid = inside(where, compose.size)
        matte = None if alpha is None else cut(alpha, where, compose.size, 0)
        random = generator(compose.seed, "compose", name if face == 0 else f"{name}#{face}")
        if self.fill.NEEDS_MATTE:
            opaque = np.full_like(valid, 255) if matte is None else matte
            person = person_of(crop, opaque, valid)
            filled = person.on(self.fill.background(person.picture, person.old_background, random))
        else:
            filled = self.fill.background(crop, valid, random)
        return View(crop, valid, matte, self._seen(filled))

    def _seen(self, composed: np.ndarray) -> np.ndarray:
        """A composed picture as the classifier sees it: through the pipeline's JPEG, and scaled."""
        return at_network_size(decode_photo(encode_jpeg(composed)), self.chain.classify.size)


def _of_array(image: np.ndarray) -> Photo:
    fits = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
    if not fits or image.shape[2] != 3 or not image.size:
        got = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}".strip()
        raise UserError("a picture is an array of pixels", got=got, allowed="uint8 [H, W, 3], RGB, upright")

    def reduced(by: int) -> np.ndarray:
        if by == 1:
            return image
        return cv2.resize(image, (image.shape[1] // by, image.shape[0] // by), interpolation=cv2.INTER_AREA)

    return image, reduced
