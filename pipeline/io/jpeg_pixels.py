"""Decodes JPEGs with libjpeg-turbo; every warning is an error, except for deviations without effect.

libjpeg reports only its first warning, which may hide another, so no warning can be ignored by its text.
Instead, known harmless deviations are repaired in the bytes, and the result is decoded strictly:

- a scan header other than 0, 63, 0 in a sequential JPEG, where it has no meaning (Samsung's cameras)
- stray bytes between header segments, or between scans
- a JFIF version unknown to libjpeg; an unknown colour transform in Adobe's segment
- padding after a scan's data: one repeated byte value. Other bytes there indicate damage and are refused. The
  whole run is removed, so a damaged scan that ends in a flat area still fails to decode; what is left must be
  needed to its last byte, else the run was data
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import simplejpeg

from pipeline.io.jpeg_header import EOI, MAX_MARKERS, NEXT_MARKER, SOF, SOS, STANDALONE_MARKERS, next_marker

APP0, APP14 = 0xE0, 0xEE
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
SEQUENTIAL = SOF - PROGRESSIVE
SCAN = 0  # pseudo-marker of a scan's data
ADOBE = b"Adobe"
TRANSFORM = 11  # offset in Adobe's segment
YCC = 1
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
MIN_PADDING = 4  # repetitions of a byte other than zero
MAX_PADDED = 64  # scans or intervals with padding: each costs another decode


def decode_jpeg(data: bytes, min_height: int, min_width: int) -> np.ndarray:
    """uint8 [H, W, 3] RGB, as stored, at the smallest scale with at least these sides.

    Raises:
        ValueError: the JPEG is damaged or cut off.
    """
    try:
        return _decode_strictly(data, min_height, min_width)
    except ValueError as e:
        for repaired, shortened in _repair(data):
            try:
                pixels = _decode_strictly(repaired, min_height, min_width)
            except ValueError:
                continue
            if not any(_decodes(bytes_, min_height, min_width) for bytes_ in shortened):
                return pixels
        raise e


def _decodes(data: bytes, min_height: int, min_width: int) -> bool:
    try:
        _decode_strictly(data, min_height, min_width)
    except ValueError:
        return False
    return True


def _decode_strictly(data: bytes, min_height: int, min_width: int) -> np.ndarray:
    return simplejpeg.decode_jpeg(
        data, colorspace="RGB", strict=True, min_height=min_height, min_width=min_width
    )


def _repair(data: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yields repaired JPEGs: headers, then also the last scan's padding, then all padding.

    With each come the same bytes less the last one of a scan or interval that lost padding; none may decode.
    """
    try:
        parts = _parts(data)
    except ValueError:
        return
    if not _is_complete(parts):
        return
    tried = {data[: data.find(b"\xff\xd9") + 2]}
    scans = [k for k, (marker, _) in enumerate(parts) if marker == SCAN]
    for by_interval, padded in ((False, []), (False, scans[-1:]), (True, scans)):
        pieces: list[bytes] = []
        stripped: list[int] = []  # which pieces lost padding
        for k, (_, part) in enumerate(parts):
            for piece in _intervals(part) if by_interval and k in padded else [part]:
                kept = _strip_padding(piece) if k in padded else piece
                if kept != piece:
                    stripped.append(len(pieces))
                pieces.append(kept)
        repaired = b"".join(pieces)
        if repaired not in tried and len(stripped) <= MAX_PADDED:
            tried.add(repaired)
            yield repaired, [_drop_last_byte(pieces, k) for k in stripped]


def _drop_last_byte(pieces: Sequence[bytes], k: int) -> bytes:
    """All pieces in one, the one at `k` without its last byte of data (0xFF 0x00 is one)."""
    piece = pieces[k]
    short = piece[:-2] if piece.endswith(b"\xff\0") else piece[:-1]
    return b"".join([*pieces[:k], short, *pieces[k + 1 :]])


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The picture from SOI to EOI without stray bytes: (marker, repaired segment) and (SCAN, scan data)."""
    parts, at, frame = [(0xD8, data[:2])], 2, 0
    for _ in range(MAX_MARKERS):
        begin, (marker, at) = at, next_marker(data, at)
        if ADOBE in data[begin : at - 2]:
            raise ValueError("the stray bytes contain Adobe's segment, which defines the colours")
        if marker in STANDALONE_MARKERS:
            continue
        if marker == EOI:
            return [*parts, (EOI, b"\xff\xd9")]
        end = at + max(2, int.from_bytes(data[at : at + 2], "big"))
        body = bytearray(data[at + 2 : end])
        frame = marker if marker in SOF else frame
        _fix_segment(marker, body, frame)
        parts.append((marker, bytes((0xFF, marker)) + data[at : at + 2] + bytes(body)))
        at = end
        if marker == SOS:
            following = NEXT_MARKER.search(data, at)
            if following is None:
                raise ValueError("the JPEG has no end")
            parts.append((SCAN, data[at : following.start()]))
            at = following.start()
    raise ValueError(f"the JPEG has more than {MAX_MARKERS} markers")


def _is_complete(parts: Sequence[tuple[int, bytes]]) -> bool:
    """Whether the scans contain every bit of every coefficient; libjpeg does not notice a missing scan."""
    lacking: dict[int, set[int]] = {}
    sequential = True
    for marker, segment in parts:
        if marker in SOF and len(segment) > 9:
            sequential = marker in SEQUENTIAL
            lacking = {component: set(range(64)) for component in segment[10::3][: segment[9]]}
        elif marker == SOS and len(segment) > 7:
            first, final, bits = segment[-3:]
            if sequential or bits & 15 == 0:
                for component in segment[5:-3:2]:
                    lacking.get(component, set()).difference_update(range(first, final + 1))
    return bool(lacking) and not any(lacking.values())


def _fix_segment(marker: int, body: bytearray, frame: int) -> None:
    if marker == SOS and frame in SEQUENTIAL and len(body) >= 3:
        body[-3:] = bytes((0, 63, 0))
    elif marker == APP0 and body.startswith(b"JFIF\0") and len(body) > 5:
        body[5] = 1
    elif marker == APP14 and body.startswith(ADOBE) and len(body) > TRANSFORM and body[TRANSFORM] > 2:
        body[TRANSFORM] = YCC  # decoders assume this for three channels


def _intervals(scan: bytes) -> Iterator[bytes]:
    """A scan's data from one restart marker to the next."""
    at = 0
    for marker in RESTART.finditer(scan):
        yield scan[at : marker.start()]
        yield marker.group()
        at = marker.end()
    yield scan[at:]


def _strip_padding(scan: bytes) -> bytes:
    if RESTART.fullmatch(scan):
        return scan
    scan = scan.rstrip(b"\xff")  # fill bytes
    padding = scan[-1:]
    kept = scan.rstrip(padding)
    if padding != b"\0" and len(scan) - len(kept) < MIN_PADDING:
        return scan
    return kept + b"\0" if kept.endswith(b"\xff") else kept  # 0xFF 0x00 is a byte of the data
