"""Checks and filters a PNG's chunks before decoding.

PIL silently accepts truncated PNGs, and unpacks compressed texts and colour profiles, which can be bombs.
This module checks every checksum and keeps only the chunks of the still picture.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from pipeline.io.exif import exif_orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
BLOCK = 1 << 20
MAX_CHUNKS = 100_000  # a crafted file may contain millions of empty chunks
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PALETTE = 3  # the colour type of palette indices
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # bits by colour type


@dataclass(frozen=True)
class PngHeader:
    """Size as stored (not upright) and EXIF orientation 1-8."""

    width: int
    height: int
    orientation: int


def read_png_header(data: bytes) -> PngHeader:
    """Reads size and orientation, without checking pixels.

    Raises:
        ValueError: the header is broken or cut off.
    """
    body = data[16:29]
    if len(data) < 33 or data[12:16] != b"IHDR" or data[8:12] != b"\0\0\0\x0d":
        raise ValueError("the PNG is broken or cut off in its header")
    width, height, depth, colour = struct.unpack(">IIBB", body[:10])
    if not (0 < width < 2**31 and 0 < height < 2**31) or depth not in DEPTHS.get(colour, ()):
        raise ValueError("the PNG's header is broken")
    return PngHeader(width, height, _orientation(data))


def _orientation(data: bytes) -> int:
    at = 8
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            break
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"eXIf":
            return exif_orientation(data[at + 8 : at + 8 + length])
        at += 12 + length
    return 1


def picture_chunks(data: bytes) -> bytes:
    """The PNG with only the chunks of its still picture.

    Raises:
        ValueError: a chunk is cut off, a checksum is wrong, the end is missing, the palette is missing or
            comes after the pixels, or there is a second header, with an unchecked size.
    """
    kept, names = [SIGNATURE], set[bytes]()
    view, at = memoryview(data), len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            raise ValueError("it ends too early")
        length = int.from_bytes(view[at : at + 4], "big")
        end = at + 12 + length
        if end > len(data):
            raise ValueError("it ends too early")
        name = bytes(view[at + 4 : at + 8])
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise ValueError(f"the checksum of chunk {name!r} is wrong")
        if name == b"IHDR" and name in names:
            raise ValueError("it has two headers")
        names.add(name)
        if name == b"IDAT" and data[25] == PALETTE and b"PLTE" not in names:
            raise ValueError("its palette is missing, or comes after its pixels")  # PIL shows black then
        if name in PICTURE:
            kept.append(bytes(view[at:end]))
        if name == b"IEND":
            return b"".join(kept)
        at = end
    raise ValueError(f"it has more than {MAX_CHUNKS} chunks")


def check_pixel_count(data: bytes) -> None:
    """Unpacks the pixels once more to count them: decoders silently pad missing pixels with zeros.

    Args:
        data: as `picture_chunks` returns it.

    Raises:
        ValueError: there are fewer bytes of pixels than the header's size needs.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    bits = depth * CHANNELS[colour]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    needed = 0
    for x, y, across, down in passes:
        columns, rows = -(-(width - x) // across), -(-(height - y) // down)
        if columns > 0 and rows > 0:
            needed += rows * (1 + (columns * bits + 7) // 8)
    unpack, unpacked, at = zlib.decompressobj(), 0, len(SIGNATURE)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        packed = data[at + 8 : at + 8 + length] if data[at + 4 : at + 8] == b"IDAT" else b""
        while packed and unpacked < needed:
            unpacked += len(unpack.decompress(packed, BLOCK))
            packed = unpack.unconsumed_tail
        at += 12 + length
    if unpacked < needed:
        raise ValueError("it has fewer pixels than its header says")
