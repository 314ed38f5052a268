"""Detects a file's type from its first bytes, ignoring its name."""

from __future__ import annotations

CONVERT = "convert it to JPEG or PNG"
COPY_AGAIN = "copy or download it again"
STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
    (b"%!PS", "EPS or PostScript"),
    (b"\xc5\xd0\xd3\xc6", "EPS or PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "ICO"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"PK\3\4", "ZIP archive"),
    (b"Rar!\x1a\7", "RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"\x1f\x8b", "gzip archive"),
    (b"\x7fELF", "program"),
)
BRANDS = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"hevc": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "raw photo",
}
PICTURES = {
    "GIF",
    "BMP",
    "TIFF",
    "WebP",
    "HEIC",
    "AVIF",
    "ICO",
    "Photoshop",
    "JPEG XL",
    "JPEG 2000",
    "SVG",
    "PDF",
    "raw photo",
}


def sniff(data: bytes) -> str:
    """`JPEG`, `PNG`, or a short name of another type, e.g. `HEIC`, `HTML page`, `empty file`."""
    if not data:
        return "empty file"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12], "video")
    for start, name in STARTS:
        if data.startswith(start):
            return name
        if name in ("JPEG", "PNG") and start.startswith(data):
            return f"the first bytes of a {name}"
    if not data[:4096].strip(b"\0"):
        return "file of zero bytes"
    return _text_kind(data[:4096])


def _text_kind(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return "text file"
    if b"\0" in head:
        return "file of an unknown kind"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return "Git LFS pointer"
    if b"<svg" in text:
        return "SVG"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "HTML page"
    if text.startswith(b"<?xml"):
        return "XML file"
    printable = sum(32 <= b < 127 or b in b"\t\r\n" or b >= 128 for b in head)
    return "text file" if printable == len(head) else "file of an unknown kind"


def advice_for(kind: str) -> str:
    """One phrase of advice for a file of type `kind` in place of a JPEG or PNG."""
    if kind in PICTURES or kind.startswith("EPS"):
        return CONVERT
    if kind == "HTML page":
        return f"{COPY_AGAIN}; a web page was saved in place of the photo"
    if kind == "Git LFS pointer":
        return "run `git lfs pull` where the photos come from"
    return COPY_AGAIN
