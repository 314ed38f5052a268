"""The network's input: longest side scaled to one size, padded to one of a few shapes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.segment.mattes import resize_alpha

STRIDE = 32  # a U-Net of five stages halves its input five times
MAX_SIDES = 8  # different lengths of a side, since a net is compiled for each shape


@dataclass(frozen=True)
class Frame:
    """The placement of a photo in the input: scaled to `inner`, top left in `net`; all (height, width)."""

    photo: tuple[int, int]
    inner: tuple[int, int]
    net: tuple[int, int]


def frame_of(height: int, width: int, size: int) -> Frame:
    """The frame of an upright photo of `height` x `width` px; its longest side becomes `size` px.

    Aspect is kept; smaller photos are scaled up, since a net expects people as large as in training.
    Either side of `net` is one of at most 8 multiples of 32.
    """
    scale = size / max(height, width)
    inner = (max(1, round(height * scale)), max(1, round(width * scale)))
    step = STRIDE * -(-size // (STRIDE * MAX_SIDES))
    longest = STRIDE * -(-size // STRIDE)
    net = (min(longest, step * -(-inner[0] // step)), min(longest, step * -(-inner[1] // step)))
    return Frame((height, width), inner, net)


def fit(photo: np.ndarray, frame: Frame) -> np.ndarray:
    """uint8 [*frame.net, 3] or [*frame.net] from a photo or alpha: scaled, padded with 0 right and below."""
    shrinks = frame.inner[0] <= frame.photo[0]
    inner = cv2.resize(
        photo, frame.inner[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    if frame.inner == frame.net:
        return inner
    padded = np.zeros((*frame.net, *photo.shape[2:]), np.uint8)
    padded[: frame.inner[0], : frame.inner[1]] = inner
    return padded


def restore(alpha: np.ndarray, frame: Frame) -> np.ndarray:
    """The network's alpha, uint8 [*frame.net], without padding and at the photo's size, uint8 [H, W]."""
    inner = np.ascontiguousarray(alpha[: frame.inner[0], : frame.inner[1]])
    return resize_alpha(inner, *frame.photo)
