"""Reads a JPEG's markers without a decoder: size, components, EXIF orientation, number of scans."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np

from pipeline.io.exif import PREFIX, exif_orientation

SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
STANDALONE_MARKERS = {0x01, *range(0xD0, 0xD8)}  # markers without a length
SOS, EOI, APP1 = 0xDA, 0xD9, 0xE1
MAX_MARKERS = 10_000  # a crafted file may hold millions; a photo has dozens
USUAL_SCANS = 50
BLOCK = 1 << 20  # bytes searched at a time, to bound memory
NEXT_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # within a scan's data


class UnsupportedJpeg(ValueError):
    """A possibly intact JPEG of an unsupported kind, which cameras do not produce."""


@dataclass(frozen=True)
class JpegHeader:
    """Size as stored (not upright), EXIF orientation 1-8, components 1, 3 or 4, number of scans.

    `scans` is an upper bound if it is small: it may include a thumbnail's.
    """

    width: int
    height: int
    components: int
    orientation: int
    scans: int


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Walks the markers up to the first scan and skips stray bytes between them, as decoders do.

    Raises:
        ValueError: the markers are broken or cut off.
        UnsupportedJpeg: a lossless JPEG, or not 8 bits a channel.
    """
    at, frame, exif = 2, None, b""
    for _ in range(MAX_MARKERS):
        marker, at = next_marker(data, at)
        if marker in STANDALONE_MARKERS:
            continue
        if marker == EOI:
            raise ValueError("the JPEG holds no picture")
        if at + 2 > len(data):
            raise ValueError("the JPEG is cut off in its header")
        length = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + length]
        if length < 2 or len(body) != length - 2:
            raise ValueError("the JPEG is cut off in its header")
        if marker == SOS:
            break
        if marker in LOSSLESS:
            raise UnsupportedJpeg("lossless JPEGs are not supported")
        if marker in SOF:
            frame = _frame(body)
        elif marker == APP1 and body.startswith(PREFIX):
            exif += body[len(PREFIX) :]
        at += length
    else:
        raise ValueError(f"the JPEG has more than {MAX_MARKERS} markers")
    if frame is None:
        raise ValueError("the JPEG has no frame header")
    width, height, components = frame
    return JpegHeader(width, height, components, exif_orientation(exif), _scans(data, at))


def _scans(data: bytes, at: int) -> int:
    """Number of scans from the first one's header at `at` to the end of the picture."""
    scans = _scan_markers(data)
    if scans <= USUAL_SCANS:
        return scans
    scans = 1
    while scans < MAX_MARKERS:
        at += int.from_bytes(data[at : at + 2], "big")
        marker = NEXT_MARKER.search(data, at)
        if marker is None or marker.group()[1] == EOI:
            break
        scans += marker.group()[1] == SOS
        at = marker.end()
    return scans


def _scan_markers(data: bytes) -> int:
    """Counts 0xFF 0xDA like `data.count`, in a quarter of the time."""
    markers = 0
    for start in range(0, len(data), BLOCK):
        block = np.frombuffer(data[start : start + BLOCK + 1], np.uint8)
        markers += int(np.count_nonzero((block[1:] == SOS) & (block[:-1] == 0xFF)))
    return markers


def next_marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at or after `at` and the offset behind it; skips fill bytes (0xFF) and stray bytes.

    Raises:
        ValueError: there is none.
    """
    for _ in range(MAX_MARKERS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            break
        if data[at + 1] not in (0x00, 0xFF):
            return data[at + 1], at + 2
        at += 1
    raise ValueError("the JPEG is broken or cut off in its header")


def _frame(body: bytes) -> tuple[int, int, int]:
    if len(body) < 6:
        raise ValueError("the JPEG's frame header is broken")
    precision, height, width, components = struct.unpack(">BHHB", body[:6])
    if precision != 8:
        raise UnsupportedJpeg(f"the JPEG has {precision} bits a channel; only 8 can be read")
    if width == 0 or height == 0 or components not in (1, 3, 4):
        raise ValueError(f"the JPEG's frame header is broken ({width} x {height}, {components} components)")
    return width, height, components
