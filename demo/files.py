"""How a photo's bytes are written: JPEG mostly, and the few odd files that real folders hold."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY = 92
ORIENTATION = 0x0112  # EXIF tag; 6 = "turn a quarter clockwise to see it upright"
UNREADABLE = {"truncated", "text"}


def encode_photo(rgb: NDArray[np.uint8], kind: str) -> bytes:
    """The bytes of a photo, uint8 (H, W, 3) RGB.

    `kind`: `jpeg`; `grayscale` (JPEG of one channel); `png`; `rotated` (stored lying, upright by its EXIF
    tag); `truncated` (a JPEG that ends early); `text` (no picture at all).
    """
    if kind == "text":
        return b"This photo could not be exported.\n"
    if kind == "png":
        return cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()
    picture = Image.fromarray(rgb)
    exif = Image.Exif()
    if kind == "grayscale":
        picture = picture.convert("L")
    if kind == "rotated":
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        exif[ORIENTATION] = 6
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, subsampling=2, optimize=True, exif=exif)
    data = buffer.getvalue()
    return data[: len(data) // 3] if kind == "truncated" else data


def encode_matte(alpha: NDArray[np.uint8]) -> bytes:
    """The bytes of a matte, uint8 (H, W), as an 8-bit gray PNG."""
    return cv2.imencode(".png", alpha, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].tobytes()
