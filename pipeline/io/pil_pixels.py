"""Converts PIL images of any mode to RGB pixels on a background."""

from __future__ import annotations

import numpy as np
from PIL import Image

STRIP = 1 << 21  # pixels converted at a time, to bound memory


def check_palette(image: Image.Image) -> None:
    """Raises ValueError if a pixel's palette index is out of range, which PIL shows as black."""
    if image.mode == "P" and image.palette is not None:
        largest = image.getextrema()[1]
        colours = len(image.palette.palette) // len(image.palette.mode)
        if isinstance(largest, int | float) and largest >= colours:
            raise ValueError(f"a pixel has colour {largest} of a palette of {colours}")


def to_rgb(image: Image.Image, background: tuple[int, int, int]) -> np.ndarray:
    """The pixels of a loaded image of any mode.

    Args:
        image: 16-bit gray keeps its upper 8 bits.
        background: RGB put behind transparent pixels.

    Returns:
        uint8 [H, W, 3] RGB.
    """
    out = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        strip.info = image.info
        out[top : top + rows] = np.asarray(_rgb_strip(strip, background))
    return out


def _rgb_strip(strip: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if strip.mode.startswith("I"):  # 16-bit gray: convert() would clip it
        levels = np.asarray(strip).astype(np.uint16)
        gray = Image.fromarray((levels >> 8).astype(np.uint8))
        hidden = strip.info.get("transparency")
        if not isinstance(hidden, int):
            return gray.convert("RGB")
        alpha = Image.fromarray(np.where(levels == hidden, 0, 255).astype(np.uint8))
        return _over(gray.convert("RGB"), alpha, background)
    if "A" in strip.getbands() or "transparency" in strip.info:
        rgba = strip.convert("RGBA")
        return _over(rgba.convert("RGB"), rgba.getchannel("A"), background)
    return strip if strip.mode == "RGB" else strip.convert("RGB")


def _over(rgb: Image.Image, alpha: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if alpha.getextrema() == (255, 255):  # nothing shines through
        return rgb
    return Image.composite(rgb, Image.new("RGB", rgb.size, background), alpha)
