"""A photo of any size as the input of a fully convolutional network with stride 32."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

STRIDE = 32
MAX_SIDE = 640  # YOLOv8's training size; larger photos are scaled down to it, smaller ones never up
GRAY = 114  # YOLOv8's padding in training


@dataclass(frozen=True)
class Letterbox:
    """The placement of a photo in the network's input.

    Attributes:
        height, width: of the input, multiples of 32.
        scaled: width and height of the photo in it.
        left, top: the photo's corner, in pixels of the input.
        scale: pixels of the input per pixel of the photo.
    """

    height: int
    width: int
    scaled: tuple[int, int]
    left: int
    top: int
    scale: float

    def to_photo(self, box: np.ndarray) -> np.ndarray:
        """xyxy in pixels of the input -> xyxy in pixels of the photo; float32 [..., 4]."""
        offset = np.array([self.left, self.top, self.left, self.top], dtype=np.float32)
        return (box.astype(np.float32) - offset) / np.float32(self.scale)


def letterbox_of(width: int, height: int) -> Letterbox:
    """The letterbox of a photo of width x height pixels: a function of the photo's size alone.

    The photo's own size, or scaled down to at most 640 on its longest side, rounded up to multiples of 32,
    the photo centred, as in `ultralytics.data.augment.LetterBox(auto=True)`.
    """
    scale = min(1.0, MAX_SIDE / max(width, height))
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    pad_width, pad_height = -new_width % STRIDE, -new_height % STRIDE
    return Letterbox(
        height=new_height + pad_height,
        width=new_width + pad_width,
        scaled=(new_width, new_height),
        left=round(pad_width / 2 - 0.1),
        top=round(pad_height / 2 - 0.1),
        scale=scale,
    )


def fill_letterbox(image: np.ndarray, frame: Letterbox) -> np.ndarray:
    """uint8 [height, width, 3] RGB: the photo (uint8 [H, W, 3] RGB) placed by `frame`, gray around it."""
    width, height = frame.scaled
    if (image.shape[1], image.shape[0]) != frame.scaled:
        image = cv2.resize(image, frame.scaled, interpolation=cv2.INTER_LINEAR)
    if (width, height) == (frame.width, frame.height):
        return np.ascontiguousarray(image)
    out = np.full((frame.height, frame.width, 3), GRAY, dtype=np.uint8)
    out[frame.top : frame.top + height, frame.left : frame.left + width] = image
    return out
