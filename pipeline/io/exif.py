"""The EXIF orientation, read without anything else of the EXIF.

Which entry counts is settled as PIL's `ImageOps.exif_transpose` does it. Of a JPEG's several EXIF blocks the
first one counts, also where it has no orientation and a later one does: PIL and viewers do so, while OpenCV
takes a later block that has one. A later block is mostly what an editor left of a photo that it has turned
already. Of several entries in the directory the first that can be read counts. A value may be of any numeric
type but BYTE; of several values the first counts. A PNG may hold one block;
of several the first counts, as in libpng and OpenCV, while PIL takes the last. An orientation that stands in
XMP only is not applied: PIL does that, while OpenCV and browsers do not, and tools that turn a photo leave it
there.
"""

from __future__ import annotations

import struct

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
NUMBERS = {3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I", 16: "Q"}
TEXTS = {1: 1, 2: 1, 7: 1}  # bytes of a value of the types that hold no number here
ORDERS = {b"II*\0": "<", b"II\0*": "<", b"MM\0*": ">", b"MM*\0": ">"}
LATER = 4  # bytes of a value above which it lies elsewhere


def exif_orientation(tiff: bytes) -> int:
    """The orientation 1-8 in EXIF data (a TIFF header and its first directory); 1 where there is none.

    Broken EXIF counts as none: it says nothing about the picture.

    Args:
        tiff: what follows the block's `Exif\\0\\0`; of several blocks, one behind the other.
    """
    tiff = tiff.removeprefix(PREFIX)  # some write it twice
    order = ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    start = struct.unpack(order + "I", tiff[4:8])[0]
    if start + 2 > len(tiff):
        return 1
    entries = struct.unpack(order + "H", tiff[start : start + 2])[0]
    value, elsewhere = 1.0, 0
    for at in range(start + 2, start + 2 + 12 * entries, 12):
        if at + 12 > len(tiff):
            break
        tag, kind, count = struct.unpack(order + "HHI", tiff[at : at + 8])
        unit = TEXTS.get(kind) or struct.calcsize(order + NUMBERS.get(kind, ""))
        size, place = unit * count, at + 8
        if size > LATER:
            elsewhere += size
            if elsewhere > len(tiff):
                continue
            place = struct.unpack(order + "I", tiff[place : place + 4])[0]
            if place + size > len(tiff):
                break  # as PIL, which reads no further
        if tag == ORIENTATION and size:
            value = _number(tiff[place : place + unit], order, kind)
            break
    return int(value) if value in range(1, 9) else 1


def _number(data: bytes, order: str, kind: int) -> float:
    if kind in TEXTS:
        return 0
    value, *rest = struct.unpack(order + NUMBERS[kind], data)
    if rest:  # a fraction
        return value / rest[0] if rest[0] else 0
    return value
