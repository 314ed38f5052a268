"""A file on the web."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipeline.networks.weight_sources import BLOCK, MAX_BYTES, Unobtainable
from pipeline.networks.weights_lock import UrlEntry
from pipeline.runtime.progress import say, track

TIMEOUT_SECONDS = 30.0
REMEDY = "get online and run this again"


def write(name: str, entry: UrlEntry, place: Path) -> None:
    """Downloads the file to `place`; at most one byte more than the row says.

    Raises:
        Unobtainable: no connection, or cut off.
    """
    say(f"fetching {name} ({entry.size}, {entry.licence}) from {entry.url}")
    request = urllib.request.Request(entry.url, headers={"User-Agent": "cleanplate"})
    got = expected = 0
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response, place.open("wb") as out:
            expected = entry.bytes or int(response.headers.get("Content-Length") or 0)
            blocks = _blocks(response, expected or MAX_BYTES)
            for block in track(blocks, -(-expected // BLOCK), name, unit="blocks"):
                got += len(block)
                out.write(block)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as e:
        raise Unobtainable(f"{e or type(e).__name__}", REMEDY) from e
    if got < expected:
        raise Unobtainable(f"the connection was cut after {got:,} of {expected:,} bytes", REMEDY)


def _blocks(response: IO[bytes], limit: int) -> Iterator[bytes]:
    """The response in blocks, at most one byte more than `limit`, to detect a file that is too long."""
    remaining = limit + 1
    while remaining > 0 and (block := response.read(min(BLOCK, remaining))):
        remaining -= len(block)
        yield block
