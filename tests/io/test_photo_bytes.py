"""Any bytes at all are a photo or are refused with a PhotoError, never anything else."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.io.exif import exif_orientation
from pipeline.io.photo import PhotoError, decode_photo, parse_photo_header
from tests.fixtures.data_folder import picture

HEADS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    picture(".png")[:33],
    picture(".jpg")[:200],
    b"\xff\xd8\xff\xe1\0\x40Exif\0\0II*\0",
    b"\xff\xd8\xff\xe1\0\x40Exif\0\0MM\0*\0\0\0\x08",
]


@settings(deadline=None)
@given(st.sampled_from(HEADS), st.binary(max_size=120))
def test_any_bytes_are_a_photo_or_refused(head: bytes, rest: bytes) -> None:
    for read in (parse_photo_header, decode_photo):
        with contextlib.suppress(PhotoError):
            read(head + rest)


@settings(deadline=None)
@given(st.sampled_from([".jpg", ".png"]), st.data())
def test_any_change_of_a_photo_is_a_photo_or_refused(suffix: str, data: st.DataObject) -> None:
    changed = bytearray(picture(suffix))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PhotoError):
        header = parse_photo_header(bytes(changed), max_pixels=1_000_000)
        assert decode_photo(bytes(changed)).shape == (header.height, header.width, 3)


@settings(deadline=None)
@given(st.sampled_from([b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0"]), st.binary(max_size=60))
def test_any_exif_is_an_orientation(head: bytes, rest: bytes) -> None:
    assert 1 <= exif_orientation(head + rest) <= 8
