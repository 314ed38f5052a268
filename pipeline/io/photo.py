"""Photos in and out: the only place that decodes or encodes a picture.

PIL ignores EXIF orientation and cv2 applies it; a pipeline that mixes them puts boxes on the wrong pixels.

What counts is a file's content, not the suffix of its name. JPEGs go through libjpeg-turbo (three times as
fast as PIL, the same pixels), where every warning counts as damage but for those that `jpeg_pixels` names;
PNGs, and JPEGs in CMYK, through PIL.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import simplejpeg
from PIL import Image

from pipeline.io.file_types import AGAIN, CONVERT, advice_for, sniff
from pipeline.io.jpeg_header import USUAL_SCANS, JpegHeader, OtherJpeg, read_jpeg_header
from pipeline.io.jpeg_pixels import decode_jpeg
from pipeline.io.pil_pixels import refuse_no_colour, rgb_of
from pipeline.io.png_chunks import SIGNATURE, picture_chunks, read_png_header, refuse_short
from pipeline.runtime.errors import UserError

MAX_BYTES = 256 << 20  # no photo is larger
MAX_SCAN_PIXELS = 1_000_000_000  # pixels x scans: a crafted progressive JPEG can ask for hours of decoding
LEAST_WORK = 100_000  # a scan of a small picture counts as one of so many pixels
WHITE = (255, 255, 255)
SEGMENT = "run `dvc repro segment` again"

# Sizes are checked here, from the header, before PIL sees a file; PIL's own limit would forbid more.
Image.MAX_IMAGE_PIXELS = None


class PhotoError(UserError):
    """A file that is no photo that can be read. `reason` and `advice` are one phrase each."""

    def __init__(self, reason: str, advice: str, where: str) -> None:
        super().__init__(f"not a photo that can be read: {reason}", where=where, fix=advice)
        self.reason, self.advice, self.place = reason, advice, where

    def __reduce__(self) -> tuple[type[PhotoError], tuple[str, str, str]]:
        return type(self), (self.reason, self.advice, self.place)  # crosses from a worker process


@dataclass(frozen=True)
class PhotoHeader:
    """What a file says about itself; width and height in pixels, upright; cmyk: a JPEG of four channels."""

    format: Literal["JPEG", "PNG"]
    width: int
    height: int
    orientation: int
    cmyk: bool = False


def read_photo(path: Path, background: tuple[int, int, int] = WHITE) -> np.ndarray:
    """Reads one photo.

    Args:
        path: a JPEG (also MPO) or PNG file, by content; an animated PNG counts as its still picture.
        background: RGB put behind transparent pixels.

    Returns:
        uint8 [H, W, 3], RGB, upright (EXIF orientation applied), contiguous.

    Raises:
        PhotoError: the file is not a whole JPEG or PNG.
    """
    return decode_photo(path.read_bytes(), background, where=str(path))


def photo_header(path: Path) -> PhotoHeader:
    """Format and upright size of a photo, without decoding it.

    Raises:
        PhotoError: the header is that of no JPEG or PNG.
    """
    return header_of(path.read_bytes(), where=str(path))


def header_of(data: bytes, where: str = "photo", max_pixels: int | None = None) -> PhotoHeader:
    """As `photo_header`, from the file's bytes; with `max_pixels`, larger photos are refused too."""
    kind, cmyk = sniff(data), False
    try:
        if kind == "JPEG":
            jpeg = read_jpeg_header(data)
            width, height, orientation = jpeg.width, jpeg.height, jpeg.orientation
            cmyk = jpeg.components == 4
            _refuse_scans(jpeg, where)
        elif kind == "PNG":
            png = read_png_header(data)
            width, height, orientation = png.width, png.height, png.orientation
        else:
            raise PhotoError(f"its content is no JPEG or PNG: {kind}", advice_for(kind), where)
    except ValueError as e:
        raise PhotoError(str(e), CONVERT if isinstance(e, OtherJpeg) else AGAIN, where) from e
    if max_pixels is not None and width * height > max_pixels:
        reason = f"{width} x {height} = {width * height} pixels, more than ingest.max_pixels = {max_pixels}"
        raise PhotoError(reason, "scale it down, or raise ingest.max_pixels", where)
    if orientation >= 5:
        width, height = height, width
    return PhotoHeader(kind, width, height, orientation, cmyk)


def _refuse_scans(jpeg: JpegHeader, where: str) -> None:
    pixels = max(jpeg.width * jpeg.height, LEAST_WORK)
    if jpeg.scans > USUAL_SCANS and jpeg.scans * pixels > MAX_SCAN_PIXELS:
        raise PhotoError(f"{jpeg.scans} scans, far more than a photo has", CONVERT, where)


def decode_photo(
    data: bytes,
    background: tuple[int, int, int] = WHITE,
    where: str = "photo",
    *,
    header: PhotoHeader | None = None,
    reduction: int = 1,
) -> np.ndarray:
    """As `read_photo`, from the file's bytes.

    Args:
        header: of these bytes, if it is known.
        reduction: 1, 2, 4 or 8; sides become so many times smaller, by averaging. It must divide them.
    """
    header = header or header_of(data, where)
    try:
        if header.format == "JPEG" and not header.cmyk:
            # the decoder takes the smallest scale whose sides are not below these
            least = [side // reduction for side in (header.height, header.width)]
            height, width = least[::-1] if header.orientation >= 5 else least
            pixels = decode_jpeg(data, height, width)
        else:
            whole = picture_chunks(data) if header.format == "PNG" else data
            with Image.open(io.BytesIO(whole), formats=(header.format,)) as image:
                image.load()
                if header.format == "PNG" and _may_be_short(image):
                    refuse_short(whole)
                refuse_no_colour(image)
                pixels = rgb_of(image, background)
            if reduction > 1:
                pixels = np.asarray(Image.fromarray(pixels).reduce(reduction))
    except MemoryError:
        raise  # says nothing about the photo
    except Exception as e:
        detail = " ".join(str(e).split()) or type(e).__name__
        raise PhotoError(f"the {header.format} is damaged or cut off: {detail}", AGAIN, where) from e
    return np.ascontiguousarray(_upright(pixels, header.orientation))


def _may_be_short(image: Image.Image) -> bool:
    """Whether the last row is as empty as PIL leaves what was not in the file; of interlaced ones, always."""
    last = image.crop((0, image.height - 1, image.width, image.height))
    return bool(image.info.get("interlace")) or not np.asarray(last).any()


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """`pixels` turned as the EXIF orientation says (EXIF 2.3, tag 0x0112)."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def encode_jpeg(image: np.ndarray) -> bytes:
    """JPEG at quality 95, 4:2:0, no metadata, from uint8 [H, W, 3] RGB; the same bytes for the same
    pixels.
    """
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=95, colorspace="RGB", colorsubsampling="420"
    )


def encode_matte(alpha: np.ndarray) -> bytes:
    """8-bit gray PNG from uint8 [H, W], 0 = background, 255 = person; the same bytes for the same pixels.

    Rows as differences, compressed at the lowest level: four times as fast as PIL at its fastest, and
    smaller. Run lengths alone are written no faster, and read at half the speed.
    """
    import cv2  # here: label stages, which read photos, start without it

    rows = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT)
    up = (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
    return cv2.imencode(".png", alpha, (cv2.IMWRITE_PNG_COMPRESSION, 1, *rows, *up))[1].tobytes()


def read_matte(path: Path) -> np.ndarray:
    """uint8 [H, W] alpha from a PNG of any kind that somebody made.

    Raises:
        PhotoError: the file is missing or is no PNG.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return np.asarray(image.convert("L"))
    except Exception as e:
        raise PhotoError(f"no matte ({e})", SEGMENT, str(path)) from e


def decode_matte(data: bytes, where: str = "matte") -> np.ndarray:
    """uint8 [H, W] alpha from what `encode_matte` made; in a third of PIL's time.

    Raises:
        PhotoError: it is no whole gray PNG.
    """
    import cv2

    gray = data[:8] == SIGNATURE and data[24:26] == b"\x08\x00"  # 8 bits, one channel
    alpha = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if gray else None
    if alpha is None:
        raise PhotoError("no matte (not a whole PNG of 8-bit gray)", SEGMENT, where)
    return alpha
