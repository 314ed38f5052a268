"""Nasty files, each with what a reasonable user would expect of it."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

GOOD = "good"  # expected: in the index
EXIF_ORIENTATION = 0x0112
PIXELS = np.random.default_rng(5).integers(0, 256, (40, 30, 3), np.uint8)


def saved(picture: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def plain(mode: str = "RGB", size: tuple[int, int] = (30, 40)) -> Image.Image:
    return Image.fromarray(PIXELS).resize(size).convert(mode)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    return saved(plain(), exif=exif)


def animated(kind: str) -> bytes:
    frames = [plain(), plain().rotate(180)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


def huge(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def flipped(data: bytes, at: float) -> bytes:
    changed = bytearray(data)
    changed[int(len(data) * at)] ^= 0x40
    return bytes(changed)


def unreadable(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0)


def contents() -> dict[str, tuple[bytes, str, str]]:
    """Case → bytes, suffix, and `good` or a part of the reason for which it must be quarantined."""
    jpeg, png = saved(plain()), saved(plain(), "PNG")
    deep = saved(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(40, 30) * 50), "PNG")
    cases: dict[str, tuple[bytes, str, str]] = {
        "cmyk": (saved(plain("CMYK")), ".jpg", GOOD),
        "grayscale": (saved(plain("L")), ".jpg", GOOD),
        "rgba": (saved(plain("RGBA"), "PNG"), ".png", GOOD),
        "palette": (saved(plain("P"), "PNG"), ".png", GOOD),
        "16-bit": (deep, ".png", GOOD),
        "apng": (animated("PNG"), ".png", GOOD),
        "progressive": (saved(plain(), progressive=True), ".jpg", GOOD),
        "png named jpg": (png, ".jpg", GOOD),
        "jpeg named png": (jpeg, ".png", GOOD),
        "upper-case suffix": (jpeg, ".JPG", GOOD),
        "jpeg suffix": (jpeg, ".jpeg", GOOD),
        "1x1": (saved(plain(size=(1, 1))), ".jpg", GOOD),
        "8x8": (saved(plain(size=(8, 8))), ".jpg", GOOD),
        "19x400": (saved(plain(size=(19, 400))), ".jpg", GOOD),
        "something after the end": (jpeg + b"\0" * 99, ".jpg", GOOD),
        "empty": (b"", ".jpg", "empty"),
        "zeros": (b"\0" * 3000, ".jpg", "zero bytes"),
        "text": (b"This photo could not be exported.\n", ".jpg", "text"),
        "html": (b"<!DOCTYPE html><html>404</html>", ".jpg", "HTML"),
        "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ".jpg", "EPS"),
        "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', ".png", "SVG"),
        "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ".jpg", "HEIC"),
        "gif": (animated("GIF"), ".jpg", "GIF"),
        "webp": (saved(plain(), "WEBP"), ".jpg", "WebP"),
        "tiff": (saved(plain(), "TIFF"), ".jpg", "TIFF"),
        "bmp": (saved(plain(), "BMP"), ".png", "BMP"),
        "huge 13000": (huge(13_000), ".png", "max_pixels"),
        "huge 20000": (huge(20_000), ".jpg", "max_pixels"),
        "flipped png": (flipped(png, 0.6), ".png", ""),
        "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ".jpg", "LFS"),
        "zip": (b"PK\x03\x04" + b"\0" * 60, ".jpg", ""),
        "pickle": (b"\x80\x04cos\nsystem\n(S'echo'\ntR.", ".jpg", ""),
    }
    cases |= {f"orientation {n}": (turned(n), ".jpg", GOOD) for n in range(1, 9)}
    cases |= {f"jpeg cut at {n} %": (jpeg[: len(jpeg) * n // 100], ".jpg", "") for n in (1, 10, 50, 90, 99)}
    return cases | {
        f"png cut at {n} %": (png[: len(png) * n // 100], ".png", "") for n in (1, 10, 50, 90, 99)
    }


def paths(outside: Path) -> dict[str, tuple[Callable[[Path], None], str]]:
    """Case → what makes it at a given path, and a part of the reason for which it must be quarantined."""
    jpeg = saved(plain())
    cases: dict[str, tuple[Callable[[Path], None], str]] = {
        "fifo": (lambda p: os.mkfifo(p), "a pipe"),
        "loop": (lambda p: p.symlink_to(p.name), "leads to itself"),
        "dangling": (lambda p: p.symlink_to("nowhere.jpg"), "does not exist"),
        "out": (lambda p: p.symlink_to(outside), "out of the data folder"),
        "folder": (lambda p: p.mkdir(), "a folder"),
        "device link": (lambda p: p.symlink_to("/dev/zero"), "out of the data folder"),
    }
    if os.geteuid() == 0:
        cases["device"] = (lambda p: os.mknod(p, 0o20666, os.makedev(1, 5)), "a device")
    else:
        cases["unreadable"] = (lambda p: unreadable(p, jpeg), "may not be read")
    return cases


NAMES: dict[str, tuple[bytes, str]] = {  # bytes of a name → what is expected
    "newline": (b"mask\n2.jpg", "line break"),
    "escape": (b"\x1b[31mmask3.jpg", "control character"),
    "not utf-8": (b"mask\xff.jpg", "not UTF-8"),
    "space": (b"mask 4.jpg", "not a known photo name"),
    "unicode": ("máscara.jpg".encode(), "not a known photo name"),
    "html": (b"<img src=x onerror=alert(1)>.jpg", "not a known photo name"),
    "formula": (b"=cmd|'calc'!A1.jpg", "not a known photo name"),
    "space at the end": (b"mask1.jpg ", "not named like a photo"),
    "dot at the end": (b"mask1.jpg.", "not named like a photo"),
    "space in front": (b" mask1.jpg", "not a known photo name"),
    "two suffixes": (b"mask1.png.jpg", "not a known photo name"),
    "copy": (b"mask1 (1).jpg", "not a known photo name"),
    "download going on": (b"mask1.jpg.crdownload", "not named like a photo"),
    "no suffix": (b"mask1", "not named like a photo"),
    "wide letters": ("\uff4dask1.jpg".encode(), "not a known photo name"),
    "cyrillic a": ("m\u0430sk1.jpg".encode(), "not a known photo name"),
    "right to left": ("mask\u202e1.jpg".encode(), "not a known photo name"),
    "other suffix": (b"mask1.jfif", "not named like a photo"),
    "255 bytes": (b"m" * 251 + b".jpg", "longer than 240 bytes"),
    "of apple": (b"._mask1.jpg", "hidden or system"),
    "of windows": (b"Thumbs.db", "hidden or system"),
    "hidden": (b".jpg", "hidden or system"),
}
