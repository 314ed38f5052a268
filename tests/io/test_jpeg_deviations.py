"""JPEGs that deviate but whose pixels are whole are read as PIL reads them; damage is still refused."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from pipeline.io.photo import PhotoError, decode_photo
from tests.fixtures.odd_pictures import saved

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"
KINDS: dict[str, dict[str, object]] = {
    "baseline": {},
    "gray": {"gray": True},
    "restarts": {"restart_marker_blocks": 3},
    "optimised": {"optimize": True},
    "progressive": {"progressive": True},
}


def drawn(kind: str) -> bytes:
    """A JPEG of 72 x 56 pixels, busy above and flat below."""
    options = dict(KINDS[kind])
    pixels = np.random.default_rng(3).integers(0, 256, (72, 56, 3), np.uint8)
    pixels[40:] = 255
    picture = Image.fromarray(pixels).convert("L" if options.pop("gray", False) else "RGB")
    return saved(picture, "JPEG", quality=80, **options)


def scan_header(*values: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        at = data.index(b"\xff\xda")
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        return data[: end - 3] + bytes(values) + data[end:]

    return change


def before(marker: bytes, stray: bytes) -> Callable[[bytes], bytes]:
    """`stray` before every such marker of the header."""

    def change(data: bytes) -> bytes:
        head = data.index(b"\xff\xda") + 2
        return data[:head].replace(marker, stray + marker) + data[head:]

    return change


def before_end(padding: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.removesuffix(EOI) + padding + EOI


def jfif(major: int) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(b"JFIF\0\1", b"JFIF\0" + bytes([major]))


def adobe(transform: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        end = 4 + int.from_bytes(data[4:6], "big")
        return SOI + ADOBE + bytes([transform]) + data[end:]  # in place of JFIF's segment

    return change


def before_restarts(data: bytes) -> bytes:
    for number in range(8):
        marker = bytes([0xFF, 0xD0 + number])
        data = data.replace(marker, bytes(20) + marker)
    return data


def both(*changes: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        for one in changes:
            data = one(data)
        return data

    return change


SCANS = {f"scan header {v}": scan_header(*v) for v in ((0, 0, 0), (0, 63, 1), (1, 5, 0x21), (0xFF,) * 3)}
DEVIATIONS: dict[str, Callable[[bytes], bytes]] = {
    **{f"{n} zeros before the end": before_end(bytes(n)) for n in (1, 7, 16, 4096)},
    "0xFF before the end": before_end(b"\xff" * 40),
    "zeros and fill bytes before the end": before_end(bytes(30) + b"\xff\xff"),
    "spaces before the end": before_end(b" " * 64),
    "strays before tables": before(b"\xff\xdb", b"\0\0"),
    "strays before Huffman tables": before(b"\xff\xc4", b"stray \xff\0 bytes"),
    "strays before the scan": before(b"\xff\xda", b"\x11" * 9),
    "fill bytes between segments": before(b"\xff\xc4", b"\xff" * 9),
    **{f"JFIF version {v}": jfif(v) for v in (0, 2, 3, 255)},
    "an unknown colour transform": adobe(5),
    "restart marker in the header": before(b"\xff\xdb", b"\xff\xd0"),
    "a picture behind the picture": lambda data: data + data[:500],
    "several at once": both(jfif(3), before(b"\xff\xc4", b"\0"), before_end(bytes(64))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_harmless_deviation_leaves_the_pixels_as_pil_reads_them(kind: str) -> None:
    data = drawn(kind)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    deviations = DEVIATIONS | ({} if kind == "progressive" else SCANS)
    for name, deviate in deviations.items():
        changed = deviate(data)
        assert np.array_equal(expected, np.asarray(Image.open(io.BytesIO(changed)).convert("RGB"))), name
        assert np.array_equal(decode_photo(changed), expected), name


def test_padding_before_restart_markers_is_removed() -> None:
    data = drawn("restarts")
    assert np.array_equal(decode_photo(before_restarts(data)), decode_photo(data))


@pytest.mark.parametrize("kind", KINDS)
def test_a_deviating_jpeg_that_is_cut_is_refused(kind: str) -> None:
    data = drawn(kind)
    deviations = {"none": lambda d: d} | DEVIATIONS | ({} if kind == "progressive" else SCANS)
    for name, deviate in deviations.items():
        changed = deviate(data)
        begin = changed.index(b"\xff\xda") + 14
        end = changed.index(data[-10:-2], begin) + 8  # of the pixels; padding may follow
        for share in range(0, 100, 5):
            cut = changed[: begin + (end - begin) * share // 100]
            for left in (cut, cut + EOI, cut + bytes(200) + EOI):
                with pytest.raises(PhotoError):
                    print(name, share, decode_photo(left).shape)  # shown where nothing is raised


@pytest.mark.parametrize("kind", KINDS)
def test_damage_that_libjpeg_sees_is_refused_as_before(kind: str) -> None:
    data = drawn(kind)
    rng = np.random.default_rng(5)
    begin, refused = data.index(b"\xff\xda") + 14, 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.integers(begin, len(data) - 2)] ^= 1 << rng.integers(8)
        try:
            simplejpeg.decode_jpeg(bytes(damaged), strict=True)
        except ValueError:
            refused += 1
            with pytest.raises(PhotoError):
                decode_photo(bytes(damaged))
    assert refused > 15


def test_damage_in_a_header_is_refused_or_leaves_the_pixels_as_pil_reads_them() -> None:
    data = drawn("baseline")
    for at in range(2, data.index(b"\xff\xda")):
        for bit in (0, 3, 7):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            with contextlib.suppress(PhotoError):
                pixels = decode_photo(bytes(damaged))
                expected = np.asarray(Image.open(io.BytesIO(damaged)).convert("RGB"))
                assert np.array_equal(pixels, expected), (at, bit)


@pytest.mark.parametrize("junk", [bytes(range(1, 17)), b"scanner made by", b"\x28\xa2\x8a\0" * 8])
def test_other_bytes_behind_the_pixels_are_a_sign_of_damage(junk: bytes) -> None:
    with pytest.raises(PhotoError, match="extraneous bytes"):
        decode_photo(before_end(junk)(drawn("baseline")))


def test_a_lost_segment_that_says_how_colours_are_read_is_not_a_stray() -> None:
    data = saved(Image.new("RGB", (16, 16), (200, 10, 30)), "JPEG", keep_rgb=True)
    assert abs(decode_photo(data).astype(int) - (200, 10, 30)).max() < 4
    with pytest.raises(PhotoError):
        decode_photo(data.replace(b"\xff\xee", b"\x7f\xee"))


@pytest.mark.parametrize(("place", "value"), [(626, 71), (659, 141), (728, 3)])
def test_a_damaged_scan_that_ends_in_a_zero_of_its_own_is_not_taken_for_a_padded_one(
    place: int, value: int
) -> None:
    random = np.random.default_rng(2584)
    pixels = random.integers(0, 256, (24, 16, 3), np.uint8)
    pixels[12:] = random.integers(0, 256)
    data = bytearray(saved(Image.fromarray(pixels), "JPEG", quality=80))
    assert data.endswith(b"\0" + EOI), "this JPEG shows nothing"
    assert np.array_equal(decode_photo(bytes(data)), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    data[place] = value
    with pytest.raises(PhotoError):
        decode_photo(bytes(data))
