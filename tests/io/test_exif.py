"""Whatever a photo's EXIF looks like, it is turned as PIL turns it."""

from __future__ import annotations

import io
import itertools
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.io.photo import decode_photo
from tests.fixtures.odd_pictures import saved

SHORT, LONG = 3, 4
Entry = tuple[int, int, int, bytes]  # tag, type, count, value or offset
PHOTO = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)), "JPEG")
STRAY_MAKER = (0x010F, 2, 4, b"ACME")


def tiff(entries: list[Entry], order: str = ">", tail: bytes = b"") -> bytes:
    """A TIFF header and one directory; `tail` follows it, at offset 14 + 12 x entries."""
    head = (b"MM" if order == ">" else b"II") + struct.pack(order + "HI", 42, 8)
    rows = b"".join(struct.pack(order + "HHI", *e[:3]) + e[3].ljust(4, b"\0")[:4] for e in entries)
    return head + struct.pack(order + "H", len(entries)) + rows + bytes(4) + tail


def orientation(value: int, kind: int = SHORT, count: int = 1, order: str = ">") -> Entry:
    letter = {1: "B", SHORT: "H", LONG: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "I", 99: "H"}[kind]
    return 0x0112, kind, count, struct.pack(order + letter, value)


def photo(*blocks: bytes) -> bytes:
    """PHOTO with these EXIF blocks, in this order."""
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(b) + 8) + b"Exif\0\0" + b for b in blocks)
    return PHOTO[:2] + segments + PHOTO[2:]


def by_pil(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PIL warns of odd EXIF
        return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def corpus() -> dict[str, bytes]:
    one, six, three = (tiff([orientation(v)]) for v in (1, 6, 3))
    without = tiff([STRAY_MAKER])
    found = {f"value {v}": photo(tiff([orientation(v)])) for v in range(12)}
    for order in "<>":
        for kind in (1, SHORT, LONG, 6, 7, 8, 9, 13, 99):
            for count in (0, 1, 2):
                block = tiff([orientation(6, kind, count, order)], order)
                found[f"type {kind} count {count} {order}"] = photo(block)
        entries = [orientation(v, order=order) for v in (6, 1)]
        found[f"6, then 1 in one directory {order}"] = photo(tiff(entries, order))
        found[f"1, then 6 in one directory {order}"] = photo(tiff(entries[::-1], order))
        after = 14 + 12
        far = struct.pack(order + "I", after)
        values = {5: struct.pack(order + "II", 6, 1), 11: struct.pack(order + "f", 6)}
        values |= {10: struct.pack(order + "ii", 12, 2), 12: struct.pack(order + "d", 6)}
        for kind, value in values.items():
            place = value if kind == 11 else far
            found[f"type {kind} {order}"] = photo(tiff([(0x0112, kind, 1, place)], order, value))
        found[f"fraction by zero {order}"] = photo(tiff([(0x0112, 5, 1, far)], order, bytes(8)))
        found[f"three values {order}"] = photo(
            tiff([(0x0112, SHORT, 3, far)], order, struct.pack(order + "HHH", 6, 1, 3))
        )
    unreadable = [orientation(6, 99), orientation(3)]
    found["an unreadable entry first"] = photo(tiff(unreadable))
    found["an entry that leads nowhere first"] = photo(tiff([(0x010F, 2, 40, b"\0\0\1\0"), orientation(6)]))
    found["an entry of more than all bytes first"] = photo(
        tiff([(0x010F, 2, 1 << 20, bytes(4)), orientation(6)])
    )
    for first, second in itertools.product((one, six, three, without), repeat=2):
        found[f"blocks {first[10:22]!r} {second[10:22]!r}"] = photo(first, second)
    found["three blocks"] = photo(without, six, three)
    found["an Exif prefix twice"] = photo(b"Exif\0\0" + six)
    found["cut off in the directory"] = photo(tiff([STRAY_MAKER, orientation(6)])[:-10])
    found["a directory cut off, then a sound block"] = photo(six[:12], three)
    return found


CORPUS = corpus()


@pytest.mark.parametrize("name", CORPUS)
def test_a_photo_is_turned_as_pil_turns_it(name: str) -> None:
    assert np.array_equal(decode_photo(CORPUS[name]), by_pil(CORPUS[name]))


def test_the_first_block_counts() -> None:
    one, six = (tiff([orientation(v)]) for v in (1, 6))
    without = tiff([STRAY_MAKER])
    shapes = {data: decode_photo(photo(*data)).shape[:2] for data in ((one, six), (six, one), (without, six))}
    assert list(shapes.values()) == [(40, 60), (60, 40), (40, 60)]


def test_what_is_no_exif_turns_nothing() -> None:
    for block in (b"", b"junk", b"XX\0*\0\0\0\x08", tiff([orientation(6)]).replace(b"\0*", b"\0+", 1)):
        assert decode_photo(photo(block)).shape == (40, 60, 3)


def test_an_orientation_in_xmp_only_turns_nothing() -> None:
    """PIL would turn it; OpenCV and browsers do not."""
    packet = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    data = PHOTO[:2] + b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet + PHOTO[2:]
    assert by_pil(data).shape == (60, 40, 3)
    assert decode_photo(data).shape == (40, 60, 3)
