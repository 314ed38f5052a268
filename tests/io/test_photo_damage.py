"""Damaged, disguised and hostile pictures are refused, each with its reason."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.io.photo import PhotoError, decode_photo, parse_photo_header, read_photo
from tests.fixtures.odd_pictures import chunk, png, saved, two_halves


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_a_jpeg_cut_anywhere_is_refused(mode: str, options: dict[str, object]) -> None:
    data = saved(two_halves().convert(mode), "JPEG", **options)
    for length in range(len(data)):
        with pytest.raises(PhotoError):
            decode_photo(data[:length])


def test_a_png_cut_anywhere_is_refused() -> None:
    data = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)))
    for length in range(len(data)):
        with pytest.raises(PhotoError):
            decode_photo(data[:length])


def test_a_flipped_bit_in_a_png_is_refused() -> None:
    data = saved(two_halves())
    for at in range(8, len(data), 3):
        flipped = bytearray(data)
        flipped[at] ^= 4
        with pytest.raises(PhotoError):
            decode_photo(bytes(flipped))


def test_flipped_bits_in_a_jpeg_never_crash() -> None:
    data = saved(two_halves(), "JPEG")
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(400):
        flipped = bytearray(data)
        flipped[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            assert decode_photo(bytes(flipped)).dtype == np.uint8
        except PhotoError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "empty file"),
        (b"\0" * 5000, "zero bytes"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML page"),
        (b"just some words\n", "text file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "EPS"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP"),
        (saved(Image.new("RGB", (4, 4)), "GIF"), "GIF"),
        (saved(Image.new("RGB", (4, 4)), "BMP"), "BMP"),
        (saved(Image.new("RGB", (4, 4)), "TIFF"), "TIFF"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"\x93\x11\0\x07" * 50, "unknown kind"),
        (b"\xff\xd8\xff", "damaged|cut off|broken"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
    ],
)
def test_a_disguise_is_named(data: bytes, named: str, tmp_path: Path) -> None:
    place = tmp_path / "mask1.jpg"
    place.write_bytes(data)
    with pytest.raises(PhotoError, match=named) as refused:
        read_photo(place)
    assert "mask1.jpg" in str(refused.value)
    assert "fix:" in str(refused.value)
    again = pickle.loads(pickle.dumps(refused.value))
    assert str(again) == str(refused.value)


@pytest.mark.parametrize("side", [13_000, 20_000])
def test_a_huge_photo_is_refused_from_its_header(side: int) -> None:
    jpeg = bytearray(saved(two_halves(), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", side, side)
    for data in (bytes(jpeg), png(side, side, 8, 2, b"")):
        with pytest.raises(PhotoError, match=r"more than ingest\.max_pixels"):
            parse_photo_header(data, max_pixels=50_000_000)


def test_bombs_in_texts_and_profiles_are_never_unpacked() -> None:
    bomb = zlib.compress(b"\0" * (64 << 20), 9)
    extra = chunk(b"iCCP", b"x\0\0" + bomb) + chunk(b"zTXt", b"x\0\0" + bomb)
    assert decode_photo(png(1, 1, 8, 2, b"\0\1\2\3", extra)).tolist() == [[[1, 2, 3]]]


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    data = saved(Image.new("RGB", (2000, 2000)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(PhotoError, match="scans"):
        decode_photo(data[:-2] + scan * 1000 + data[-2:])


def test_a_film_behind_a_photo_is_harmless() -> None:
    """Phones append a short film; its bytes look like scans by chance."""
    data = saved(Image.new("RGB", (4000, 3000)), "JPEG") + b"film \xff\xda" * 500
    assert decode_photo(data).shape == (3000, 4000, 3)


@pytest.mark.parametrize(
    "filler", [b"\xff" * 30_000_000, b"\xff\xfe\0\2" * 5_000_000], ids=["fill", "comments"]
)
def test_a_jpeg_of_millions_of_markers_is_refused_at_once(filler: bytes) -> None:
    data = saved(two_halves(), "JPEG")
    with pytest.raises(PhotoError):
        decode_photo(data[:2] + filler + data[2:])


def test_a_png_of_millions_of_chunks_is_refused_at_once() -> None:
    with pytest.raises(PhotoError, match="chunks"):
        decode_photo(png(1, 1, 8, 2, b"\0\1\2\3", chunk(b"aaAa", b"") * 2_000_000))


def test_a_png_with_too_few_rows_is_refused_and_a_black_one_is_not() -> None:
    row = b"\0" + bytes(3 * 20)
    assert decode_photo(png(20, 20, 8, 2, row * 20)).max() == 0
    for rows in (row * 19, (b"\0" + b"\7" * 60) * 10):
        with pytest.raises(PhotoError, match="fewer pixels than its header says"):
            decode_photo(png(20, 20, 8, 2, rows))


@pytest.mark.parametrize("late", [True, False])
def test_a_palette_that_comes_after_its_pixels_is_refused(late: bool) -> None:
    """Decoders know the colours only of what follows the palette: the photo would be black."""
    colours, rows = chunk(b"PLTE", bytes([9, 8, 7, 60, 50, 40])), b"\0\1\1\0\1\0"
    if not late:
        assert decode_photo(png(2, 2, 8, 3, rows, colours))[1].tolist() == [[60, 50, 40], [9, 8, 7]]
        return
    plain = png(2, 2, 8, 3, rows)
    with pytest.raises(PhotoError, match="comes after its pixels"):
        decode_photo(plain[:-12] + colours + plain[-12:])


def test_an_interlaced_png_with_too_few_rows_is_refused() -> None:
    passes = b"\0\7\7\7" * 2 + b"\0" + b"\7" * 6  # 1, 6 and 7 of 2 x 2 pixels
    assert (decode_photo(interlaced(passes)) == 7).all()
    for rows in (passes[:-1], passes[:8], b""):
        with pytest.raises(PhotoError, match="damaged or cut off"):
            decode_photo(interlaced(rows))


def interlaced(rows: bytes) -> bytes:
    """A PNG of 2 x 2 pixels in Adam7's passes."""
    plain = png(2, 2, 8, 2, rows)
    head = plain[12:28] + b"\1"
    return plain[:12] + head + struct.pack(">I", zlib.crc32(head)) + plain[33:]


@pytest.mark.parametrize(("at", "value", "said"), [(1, 0xC3, "lossless"), (4, 12, "12 bits")])
def test_a_sound_jpeg_of_another_kind_is_to_be_converted(at: int, value: int, said: str) -> None:
    jpeg = bytearray(saved(two_halves(), "JPEG"))
    jpeg[jpeg.index(b"\xff\xc0") + at] = value
    with pytest.raises(PhotoError, match=said) as refused:
        decode_photo(bytes(jpeg))
    assert refused.value.advice == "convert it to JPEG or PNG"


def test_large_photos_are_read_in_strips_without_a_seam() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3000, 900, 4), np.uint8)  # more than a strip
    expected = Image.new("RGB", (900, 3000), (1, 2, 3))
    picture = Image.fromarray(pixels)
    expected.paste(picture, mask=picture.getchannel("A"))
    found = decode_photo(saved(picture, compress_level=1), (1, 2, 3))
    assert np.array_equal(found, np.asarray(expected))
    pixels[..., 3] = 255
    assert np.array_equal(decode_photo(saved(Image.fromarray(pixels), compress_level=1)), pixels[..., :3])
