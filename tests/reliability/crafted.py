"""Photos that somebody crafted, or that a camera, a tool or a transfer made odd."""

from __future__ import annotations

import base64
import gzip
import io
import os
import struct
import tarfile
import zlib

from PIL import Image

from tests.fixtures.odd_pictures import chunk, png
from tests.reliability.corpus import EXIF_ORIENTATION, GOOD, plain, saved

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Cases = dict[str, tuple[bytes, str, str]]


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG's marker with its length."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def exif(order: str, kind: int, value: int) -> bytes:
    """EXIF with nothing but an orientation; kind 3 = short, 4 = long."""
    stored = struct.pack(order + ("HH" if kind == 3 else "I"), *((value, 0) if kind == 3 else (value,)))
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return start + struct.pack(order + "HHHI", 1, EXIF_ORIENTATION, kind, 1) + stored + bytes(4)


def header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def jpegs() -> Cases:
    jpeg, cmyk = saved(plain()), saved(plain("CMYK"))
    start, frame, adobe = jpeg[:2], jpeg.index(b"\xff\xc0"), cmyk.index(b"\xff\xee")
    rest = jpeg[2:]
    return {
        "two starts": (start + jpeg, ".jpg", "broken|cut off"),
        "two photos in a file": (jpeg * 2, ".jpg", GOOD),
        "mpo of a phone": (saved(plain(), "MPO", save_all=True, append_images=[plain()]), ".jpg", GOOD),
        "line break before it": (b"\n" + jpeg, ".jpg", "unknown kind"),
        "sent as text": (jpeg.replace(b"\n", b"\r\n"), ".jpg", ""),
        "base64": (base64.b64encode(jpeg), ".jpg", "text"),
        "json": (b'{"error": "not found"}', ".jpg", "text"),
        "xml of a bucket": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', ".jpg", "XML"),
        "gzip": (gzip.compress(jpeg), ".jpg", "gzip"),
        "no height": (patched(jpeg, frame + 5, b"\0\0"), ".jpg", "frame header"),
        "no width": (patched(jpeg, frame + 7, b"\0\0"), ".jpg", "frame header"),
        "two channels": (patched(jpeg, frame + 9, b"\2"), ".jpg", "frame header"),
        "nothing but its end": (b"\xff\xd8\xff\xd9", ".jpg", "no picture"),
        "no end": (jpeg[:-2], ".jpg", "cut off"),
        "orientation 0": (start + segment(0xE1, b"Exif\0\0" + exif("<", 3, 0)) + rest, ".jpg", GOOD),
        "orientation 9": (start + segment(0xE1, b"Exif\0\0" + exif(">", 4, 9)) + rest, ".jpg", GOOD),
        "exif of noise": (start + segment(0xE1, b"Exif\0\0" + os.urandom(60_000)) + rest, ".jpg", GOOD),
        "10 MB of comments": (start + segment(0xFE, bytes(60_000)) * 170 + rest, ".jpg", GOOD),
        "cmyk, progressive": (saved(plain("CMYK"), progressive=True), ".jpg", GOOD),
        "cmyk of no known maker": (cmyk[:adobe] + cmyk[adobe + 16 :], ".jpg", GOOD),
        "ycck": (patched(cmyk, adobe + 15, b"\2"), ".jpg", GOOD),
        "a line of pixels": (saved(Image.new("RGB", (1, 65_500))), ".jpg", GOOD),
        "black": (saved(Image.new("RGB", (30, 40))), ".jpg", GOOD),
    }


def pngs() -> Cases:
    whole = saved(plain(), "PNG")
    first, rest = whole[:33], whole[33:]
    rows = zlib.compress(bytes(60_001) * 200)
    bomb = first + header(20_000, 20_000) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    palette, colours = b"\0\xff\xfe\xfd\xfc" * 4, chunk(b"PLTE", bytes(range(6)))
    late = png(4, 4, 8, 3, b"\0\0\1\0\1" * 4)
    return {
        "a bomb behind a small header": (bomb, ".png", "two headers"),
        "two headers": (first + whole[8:], ".png", "two headers"),
        "no palette": (png(4, 4, 8, 3, palette), ".png", "palette is missing"),
        "a late palette": (late[:-12] + colours + late[-12:], ".png", "after its pixels"),
        "colours that the palette lacks": (png(4, 4, 8, 3, palette, colours), ".png", "palette of 2"),
        "two colours": (png(4, 4, 1, 3, b"\0\x50" * 4, colours), ".png", GOOD),
        "more transparency than channels": (
            png(4, 4, 8, 2, (b"\0" + bytes(12)) * 4, chunk(b"tRNS", bytes(600))),
            ".png",
            GOOD,
        ),
        "no pixels": (SIGNATURE + header(4, 4) + chunk(b"IEND", b""), ".png", "damaged"),
        "a row of an unknown filter": (png(4, 4, 8, 2, (b"\x09" + bytes(12)) * 4), ".png", "damaged"),
        "a wrong checksum in a text": (first + b"\0\0\0\4tEXtabcd\0\0\0\0" + rest, ".png", "checksum"),
        "20 MB of text": (first + chunk(b"tEXt", b"a\0" + bytes(20_000_000)) + rest, ".png", GOOD),
        "something after the end": (whole + b"x" * 999, ".png", GOOD),
        "of an iphone's app": (SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\2") + whole[8:], ".png", "header"),
        "turned": (first + chunk(b"eXIf", exif(">", 3, 6)) + rest, ".png", GOOD),
        "nothing to see": (saved(Image.new("RGBA", (30, 40)), "PNG"), ".png", GOOD),
        "gray with alpha": (saved(plain("LA"), "PNG"), ".png", GOOD),
        "16-bit colours": (png(4, 4, 16, 2, (b"\0" + bytes(range(24))) * 4), ".png", GOOD),
        "16-bit gray with alpha": (png(4, 4, 16, 4, (b"\0" + bytes(range(16))) * 4), ".png", GOOD),
    }


def others() -> Cases:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("mask1.jpg"))
    upside_down = patched(saved(plain(), "BMP"), 22, struct.pack("<i", -40))
    films = [plain(), plain().rotate(90)]
    return {
        "avif": (saved(plain(), "AVIF"), ".jpg", "AVIF"),
        "avif, animated": (b"\0\0\0\x18ftypavis" + bytes(40), ".jpg", "AVIF"),
        "heic of 10 bits": (b"\0\0\0\x18ftypheix" + bytes(40), ".jpg", "HEIC"),
        "raw photo": (b"\0\0\0\x18ftypcrx " + bytes(40), ".jpg", "raw photo"),
        "film": (b"\0\0\0\x18ftypisom" + bytes(40), ".jpg", "video"),
        "webp, animated": (saved(films[0], "WEBP", save_all=True, append_images=films[1:]), ".png", "WebP"),
        "tiff of pages": (saved(films[0], "TIFF", save_all=True, append_images=films[1:]), ".jpg", "TIFF"),
        "bigtiff": (b"II+\0" + bytes(60), ".jpg", "TIFF"),
        "bmp, upside down": (upside_down, ".jpg", "BMP"),
        "icon": (saved(plain(), "ICO", sizes=[(16, 16)]), ".png", "ICO"),
        "jpeg 2000": (b"\xff\x4f\xff\x51" + bytes(60), ".jpg", "JPEG 2000"),
        "targa": (saved(plain(), "TGA"), ".jpg", "unknown kind"),
        "tar": (packed.getvalue(), ".jpg", "unknown kind"),
        "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(60), ".jpg", "7z"),
        "apple's resource fork": (b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(60), ".jpg", "unknown kind"),
        "text in utf-16": ("a photo".encode("utf-16"), ".jpg", "text"),
    }


def crafted() -> Cases:
    """Case → bytes, suffix, and `good` or a pattern in the reason for which it must be quarantined."""
    return jpegs() | {f"png: {case}": value for case, value in pngs().items()} | others()
