"""The only module that decodes and encodes photos.

PIL ignores EXIF orientation and cv2 applies it; a pipeline that mixes them puts boxes on the wrong pixels.

The file's content decides its format, not its suffix. libjpeg-turbo decodes JPEGs (three times as fast as
PIL, the same pixels); every warning counts as damage, with the exceptions in `jpeg_pixels`. PIL decodes PNGs
and CMYK JPEGs.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import simplejpeg
from PIL import Image

from pipeline.io.file_types import CONVERT, COPY_AGAIN, advice_for, sniff
from pipeline.io.jpeg_header import USUAL_SCANS, JpegHeader, UnsupportedJpeg, read_jpeg_header
from pipeline.io.jpeg_pixels import decode_jpeg
from pipeline.io.parcel import read_file
from pipeline.io.pil_pixels import check_palette, to_rgb
from pipeline.io.png_chunks import SIGNATURE, check_pixel_count, picture_chunks, read_png_header
from pipeline.runtime.errors import UserError

MAX_BYTES = 256 << 20  # no photo is larger
MAX_SCAN_PIXELS = 1_000_000_000  # pixels x scans: a crafted progressive JPEG can take hours to decode
MIN_SCAN_PIXELS = 100_000  # cost of a scan of a small picture
WHITE = (255, 255, 255)
RERUN_SEGMENT = "run `dvc repro segment` again"

# parse_photo_header checks sizes before PIL opens a file; PIL's own limit is lower
Image.MAX_IMAGE_PIXELS = None


class PhotoError(UserError):
    """An unreadable photo. `reason` and `advice` are one phrase each."""

    def __init__(self, reason: str, advice: str, where: str) -> None:
        super().__init__(f"not a readable photo: {reason}", where=where, fix=advice)
        self.reason, self.advice, self.place = reason, advice, where

    def __reduce__(self) -> tuple[type[PhotoError], tuple[str, str, str]]:
        return type(self), (self.reason, self.advice, self.place)  # for pickling in a worker process


@dataclass(frozen=True)
class PhotoHeader:
    """Facts from a photo's header; width and height in pixels, upright; cmyk: a JPEG of four channels."""

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
        PhotoError: the file is not an intact JPEG or PNG.
    """
    return decode_photo(read_file(path), background, where=str(path))


def photo_header(path: Path) -> PhotoHeader:
    """Format and upright size of a photo, without decoding it.

    Raises:
        PhotoError: the file has no valid JPEG or PNG header.
    """
    return parse_photo_header(path.read_bytes(), where=str(path))


def parse_photo_header(data: bytes, where: str = "photo", max_pixels: int | None = None) -> PhotoHeader:
    """Like `photo_header`, from the file's bytes; with `max_pixels`, also refuses larger photos."""
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
            raise PhotoError(f"its content is not JPEG or PNG: {kind}", advice_for(kind), where)
    except ValueError as e:
        raise PhotoError(str(e), CONVERT if isinstance(e, UnsupportedJpeg) else COPY_AGAIN, where) from e
    if max_pixels is not None and width * height > max_pixels:
        reason = f"{width} x {height} = {width * height} pixels, more than ingest.max_pixels = {max_pixels}"
        raise PhotoError(reason, "scale it down, or raise ingest.max_pixels", where)
    if orientation >= 5:
        width, height = height, width
    return PhotoHeader(kind, width, height, orientation, cmyk)


def _refuse_scans(jpeg: JpegHeader, where: str) -> None:
    pixels = max(jpeg.width * jpeg.height, MIN_SCAN_PIXELS)
    if jpeg.scans > USUAL_SCANS and jpeg.scans * pixels > MAX_SCAN_PIXELS:
        raise PhotoError(f"{jpeg.scans} scans, far too many for a photo", CONVERT, where)


def decode_photo(
    data: bytes,
    background: tuple[int, int, int] = WHITE,
    where: str = "photo",
    *,
    header: PhotoHeader | None = None,
    reduction: int = 1,
) -> np.ndarray:
    """Like `read_photo`, from the file's bytes.

    Args:
        header: of these bytes, if already parsed.
        reduction: 1, 2, 4 or 8: divides the sides, by averaging. It must divide them evenly.
    """
    header = header or parse_photo_header(data, where)
    try:
        if header.format == "JPEG" and not header.cmyk:
            # the decoder takes the smallest scale with at least these sides
            min_sides = [side // reduction for side in (header.height, header.width)]
            height, width = min_sides[::-1] if header.orientation >= 5 else min_sides
            pixels = decode_jpeg(data, height, width)
        else:
            whole = picture_chunks(data) if header.format == "PNG" else data
            with Image.open(io.BytesIO(whole), formats=(header.format,)) as image:
                image.load()
                if header.format == "PNG" and _may_be_short(image):
                    check_pixel_count(whole)
                check_palette(image)
                pixels = to_rgb(image, background)
            if reduction > 1:
                pixels = np.asarray(Image.fromarray(pixels).reduce(reduction))
    except MemoryError:
        raise  # not the photo's fault
    except Exception as e:
        detail = " ".join(str(e).split()) or type(e).__name__
        raise PhotoError(f"the {header.format} is damaged or cut off: {detail}", COPY_AGAIN, where) from e
    return np.ascontiguousarray(_upright(pixels, header.orientation))


def _may_be_short(image: Image.Image) -> bool:
    """Whether the PNG is interlaced or its last row is empty, which is how PIL fills missing pixels."""
    last = image.crop((0, image.height - 1, image.width, image.height))
    return bool(image.info.get("interlace")) or not np.asarray(last).any()


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Applies the EXIF orientation (EXIF 2.3, tag 0x0112)."""
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

    Up filter, lowest compression level: four times as fast as PIL at its fastest, and smaller. Run-length
    encoding is written no faster, and read at half the speed.
    """
    import cv2  # imported here so that label stages start without it

    rows = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT)
    up = (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
    return cv2.imencode(".png", alpha, (cv2.IMWRITE_PNG_COMPRESSION, 1, *rows, *up))[1].tobytes()


def read_matte(path: Path) -> np.ndarray:
    """uint8 [H, W] alpha from a user's PNG of any kind.

    Raises:
        PhotoError: the file is missing or is not a PNG.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return np.asarray(image.convert("L"))
    except Exception as e:
        raise PhotoError(f"no matte ({e})", RERUN_SEGMENT, str(path)) from e


def decode_matte(data: bytes, where: str = "matte") -> np.ndarray:
    """uint8 [H, W] alpha from the bytes of `encode_matte`, in a third of PIL's time.

    Raises:
        PhotoError: not an intact gray PNG.
    """
    import cv2

    gray = data[:8] == SIGNATURE and data[24:26] == b"\x08\x00"  # 8 bits, one channel
    alpha = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if gray else None
    if alpha is None:
        raise PhotoError("no matte (not a whole PNG of 8-bit gray)", RERUN_SEGMENT, where)
    return alpha
