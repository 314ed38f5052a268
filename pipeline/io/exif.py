"""Reads the EXIF orientation and nothing else of the EXIF.

Follows PIL's `ImageOps.exif_transpose`: the first readable entry of the directory counts, of any numeric type
but BYTE, and the first of its values. If a JPEG has several EXIF blocks, the first counts even if only a
later one has an orientation, as in PIL and viewers but not in OpenCV: a later block is mostly left over from
an editor that has already rotated the photo. If a PNG has several, the first counts, as in libpng and OpenCV
but not in PIL. An orientation only in XMP is ignored, as in OpenCV and browsers but not in PIL: tools that
rotate a photo leave it there.
"""

from __future__ import annotations

import struct

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
NUMBER_FORMATS = {
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
}
TEXT_SIZES = {1: 1, 2: 1, 7: 1}  # bytes of a value of the types that hold no number here
ORDERS = {b"II*\0": "<", b"II\0*": "<", b"MM\0*": ">", b"MM*\0": ">"}
MAX_INLINE = 4  # bytes of a value above which it lies elsewhere


def exif_orientation(tiff: bytes) -> int:
    """The orientation 1-8 in EXIF data (a TIFF header and its first directory); 1 if missing or broken.

    Args:
        tiff: the bytes after the block's `Exif\\0\\0`; several blocks are concatenated.
    """
    tiff = tiff.removeprefix(PREFIX)  # some tools write it twice
    order = ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    start = struct.unpack(order + "I", tiff[4:8])[0]
    if start + 2 > len(tiff):
        return 1
    entries = struct.unpack(order + "H", tiff[start : start + 2])[0]
    value, outside = 1.0, 0
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        if at + 12 > len(tiff):
            break
        tag, kind, count = struct.unpack(order + "HHI", tiff[at : at + 8])
        unit = TEXT_SIZES.get(kind) or struct.calcsize(order + NUMBER_FORMATS.get(kind, ""))
        size, place = unit * count, at + 8
        if size > MAX_INLINE:
            outside += size
            if outside > len(tiff):
                continue
            place = struct.unpack(order + "I", tiff[place : place + 4])[0]
            if place + size > len(tiff):
                break  # PIL stops here too
        if tag == ORIENTATION and size:
            value = _number(tiff[place : place + unit], order, kind)
            break
    return int(value) if value in range(1, 9) else 1


def _number(data: bytes, order: str, kind: int) -> float:
    if kind in TEXT_SIZES:
        return 0
    value, *rest = struct.unpack(order + NUMBER_FORMATS[kind], data)
    if rest:  # a fraction
        return value / rest[0] if rest[0] else 0
    return value
