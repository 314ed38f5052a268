"""Photos: what is accepted comes out RGB, upright and whole."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.io.photo import decode_photo, encode_jpeg, parse_photo_header, photo_header, read_photo
from tests.fixtures.odd_pictures import GREEN, RED, png, saved, two_halves


def near(pixel: np.ndarray, colour: tuple[int, int, int], within: int = 12) -> bool:
    return bool(np.abs(pixel.astype(int) - np.array(colour)).max() <= within)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_every_orientation_comes_out_upright(orientation: int, format_: str) -> None:
    stored = Image.fromarray(
        np.arange(8 * 16 * 3, dtype=np.uint8).reshape(8, 16, 3).repeat(4, 0).repeat(4, 1)
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, format_, exif=exif.tobytes())
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    found = decode_photo(data)
    assert np.array_equal(found, expected)
    assert (parse_photo_header(data).height, parse_photo_header(data).width) == found.shape[:2]


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_jpegs_of_every_mode_are_rgb(mode: str) -> None:
    found = decode_photo(saved(two_halves().convert(mode), "JPEG", quality=95))
    assert found.dtype == np.uint8
    assert found.shape == (64, 48, 3)
    if mode != "L":
        assert near(found[5, 5], RED, 20)
        assert near(found[-5, 5], GREEN, 20)


def test_a_jpeg_stored_as_rgb_keeps_its_colours() -> None:
    assert near(decode_photo(saved(two_halves(), "JPEG", keep_rgb=True))[5, 5], RED, 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_pngs_of_every_mode_are_rgb(mode: str) -> None:
    found = decode_photo(saved(two_halves().convert(mode)))
    assert found.shape == (64, 48, 3)
    assert found[5, 5].tolist() != found[-5, 5].tolist() or mode == "1"


def test_16_bit_gray_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    found = decode_photo(saved(Image.fromarray(ramp)))
    assert np.abs(found[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_16_bit_colour_is_scaled() -> None:
    rows = b"".join(b"\0" + struct.pack(">6H", 65535, 32768, 0, 0, 32768, 65535) for _ in range(2))
    assert decode_photo(png(2, 2, 16, 2, rows))[0].tolist() == [[255, 128, 0], [0, 128, 255]]


def test_transparency_shows_the_declared_background() -> None:
    image = two_halves().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert near(decode_photo(saved(image), (0, 0, 255))[5, 5], (0, 0, 255), 0)
    image.putalpha(Image.new("L", image.size, 128))
    assert near(decode_photo(saved(image), (0, 0, 0))[5, 5], (110, 15, 15), 2)
    palette = two_halves().convert("P")
    hidden = saved(palette, transparency=palette.getpixel((5, 5)))
    found = decode_photo(hidden, (1, 2, 3))
    assert found[5, 5].tolist() == [1, 2, 3]
    assert near(found[-5, 5], GREEN, 45)


def test_an_animated_png_is_its_still_picture() -> None:
    data = saved(two_halves(), save_all=True, append_images=[Image.new("RGB", (48, 64))], duration=100)
    assert b"acTL" in data
    assert near(decode_photo(data)[5, 5], RED, 0)


def test_a_phones_mpo_is_a_jpeg() -> None:
    data = saved(two_halves(), "MPO", save_all=True, append_images=[Image.new("RGB", (48, 64))])
    assert near(decode_photo(data)[5, 5], RED)
    assert parse_photo_header(data).format == "JPEG"


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (19, 400), (3000, 2)])
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_odd_sizes_are_photos(size: tuple[int, int], format_: str) -> None:
    assert decode_photo(saved(Image.new("RGB", size), format_)).shape == (size[1], size[0], 3)


def test_what_follows_the_picture_is_harmless() -> None:
    for format_ in ("JPEG", "PNG"):
        data = saved(two_halves(), format_)
        assert np.array_equal(decode_photo(data + b"trailing" * 99), decode_photo(data))


def test_broken_exif_is_no_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(two_halves(), "JPEG", exif=exif.tobytes())
    broken = data.replace(b"MM\0*\0\0\0\x08", b"MM\0*\xff\xff\xff\xff").replace(
        b"II*\0\x08\0\0\0", b"II*\0\xff\xff\xff\xff"
    )
    assert broken != data
    assert decode_photo(broken).shape == (64, 48, 3)


def test_a_png_named_jpg_is_a_png(tmp_path: Path) -> None:
    place = tmp_path / "mask1.jpg"
    place.write_bytes(saved(two_halves()))
    assert photo_header(place).format == "PNG"
    assert near(read_photo(place)[5, 5], RED, 0)


def test_real_jpegs_decode_as_pil_does(test_data: Path) -> None:
    folder = test_data / "realset" / "train" / "images"
    for place in sorted(folder.glob("00000*_*/normal.jpg"))[:5]:
        with Image.open(place) as image:
            expected = np.asarray(image.convert("RGB"))
        assert np.array_equal(read_photo(place), expected)


def test_encoding_is_repeatable() -> None:
    pixels = decode_photo(saved(two_halves()))
    assert encode_jpeg(pixels) == encode_jpeg(pixels.copy())


def test_no_stray_limit_of_pil(tmp_path: Path) -> None:
    """A raised ingest.max_pixels must hold: PIL would warn above 89 million pixels."""
    data = saved(Image.new("1", (10_000, 9_500)))
    assert parse_photo_header(data).width == 10_000
    (tmp_path / "a.png").write_bytes(data)
    assert (tmp_path / "a.png").stat().st_size < 1 << 20
    assert decode_photo(data).shape == (9_500, 10_000, 3)
