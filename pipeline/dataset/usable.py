"""Whether a file's bytes are a photo that the pipeline works with: the same words wherever one is refused."""

from __future__ import annotations

from pipeline.dataset.safe_files import Unusable
from pipeline.io.photo import PhotoHeader, parse_photo_header


def checked_header(data: bytes, where: str, max_pixels: int, min_side: int) -> PhotoHeader:
    """The header of a photo's bytes, if its size is one to work with.

    Args:
        where: the photo's name, for the message.
        max_pixels: `ingest.max_pixels`.
        min_side: `ingest.min_side`, pixels.

    Raises:
        PhotoError: no valid header, or more pixels than `max_pixels`.
        Unusable: a side below `min_side`.
    """
    header = parse_photo_header(data, where, max_pixels)
    if min(header.width, header.height) < min_side:
        reason = f"{header.width} x {header.height} pixels, a side below ingest.min_side = {min_side}"
        raise Unusable(reason, "use a larger one, or lower ingest.min_side")
    return header
