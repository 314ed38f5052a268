"""A photo as the input of RetinaFace: scaled down to a longest side, padded to multiples of 32."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

STRIDE = 32
MEAN_RGB = (123, 117, 104)  # the network subtracts it, so that padding is zero to it


@dataclass(frozen=True)
class Frame:
    """The place of a photo in the network's input: its upper left corner.

    Attributes:
        height, width: of the input in pixels, multiples of 32.
        scaled: width and height of the photo in it, in pixels.
        scale: pixels of the input per pixel of the photo, x and y, float32 [2].
    """

    height: int
    width: int
    scaled: tuple[int, int]
    scale: np.ndarray

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """Points x, y float32 [..., 2] in pixels of the input -> pixels of the photo."""
        return points / self.scale


def frame_of(width: int, height: int, max_side: int) -> Frame:
    """The frame of a photo of width x height pixels: its own size, or scaled down to `max_side`; never up."""
    scale = min(1.0, max_side / max(width, height))
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    return Frame(
        height=new_height + -new_height % STRIDE,
        width=new_width + -new_width % STRIDE,
        scaled=(new_width, new_height),
        scale=np.array([new_width / width, new_height / height], dtype=np.float32),
    )


def fill_frame(photo: np.ndarray, frame: Frame) -> np.ndarray:
    """uint8 [height, width, 3] RGB: the photo (uint8 [H, W, 3] RGB) in its frame, on the mean colour."""
    if (photo.shape[1], photo.shape[0]) != frame.scaled:
        photo = cv2.resize(photo, frame.scaled, interpolation=cv2.INTER_AREA)
    if frame.scaled == (frame.width, frame.height):
        return np.ascontiguousarray(photo)
    out = np.full((frame.height, frame.width, 3), MEAN_RGB, dtype=np.uint8)
    out[: photo.shape[0], : photo.shape[1]] = photo
    return out
