"""Alphas of photos by the segmenter of an export."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from cleanplate.predict.chain import Chain
from cleanplate.predict.runtimes import Runtime, load_network
from pipeline.segment.refine import grabcut
from pipeline.segment.selfie import frame as selfie
from pipeline.segment.unet import frame as unet

Segment = Callable[[np.ndarray], np.ndarray]
"""uint8 [H, W, 3] RGB -> uint8 [H, W], 0 = background, 255 = person."""


def load_segmenter(chain: Chain, runtime: Runtime) -> Segment | None:
    """The segmenter of an export; None where it has none."""
    step = chain.segment
    if step is None:
        return None
    network = load_network(chain.folder, step["networks"][0], runtime, fixed_shapes=True)

    def by_unet(photo: np.ndarray) -> np.ndarray:
        frame = unet.frame_of(photo.shape[0], photo.shape[1], int(step["size"]))
        return unet.restore(network(unet.fit(photo, frame)[None])[0][0], frame)

    def by_selfie(photo: np.ndarray) -> np.ndarray:
        pixels = selfie.stretch(photo, int(step["height"]), int(step["width"]))
        return selfie.restore(network(pixels[None])[0][0, ..., 0], *photo.shape[:2])

    alpha_of = by_selfie if step["method"] == "selfie" else by_unet
    if step["refine"] == "none":
        return alpha_of
    turn = threading.Lock()  # GrabCut draws from random numbers that all threads share

    def refined(photo: np.ndarray) -> np.ndarray:
        alpha = alpha_of(photo)
        with turn:
            return grabcut(photo, alpha)

    return refined
