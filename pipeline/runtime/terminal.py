"""What commands print to: streams in any encoding, and a terminal that may go away."""

from __future__ import annotations

import codecs
import errno
import io
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

READABLE = "cleanplate.readable"
GONE = (errno.EIO, errno.EPIPE)  # the terminal was closed, the reader of a pipe has ended
PLAIN = {
    "–": "-",
    "—": "-",
    "‑": "-",
    "−": "-",
    "×": "x",
    "·": "*",
    "•": "*",
    "…": "...",
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "±": "+/-",
    "→": "->",
    "←": "<-",
    "↔": "<->",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "▲": "^",
    "▼": "v",
    "─": "-",
    "━": "-",
    "│": "|",
    "┃": "|",
}


def print_in_any_encoding() -> None:
    """Has standard output and errors print what their encoding lacks in ASCII, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=READABLE)


def _readable(error: UnicodeError) -> tuple[str, int]:
    """The handler of characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_plain(c) for c in error.object[error.start : error.end]), error.end


def _plain(character: str) -> str:
    """ASCII for one character: its like, itself without accents, or its number."""
    if character in PLAIN:
        return PLAIN[character]
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return bare or character.encode("ascii", "backslashreplace").decode()


codecs.register_error(READABLE, _readable)


@contextmanager
def unheard() -> Iterator[None]:
    """Lets go of what nobody can read any more: a stage goes on when its terminal is closed."""
    try:
        yield
    except OSError as e:
        if e.errno not in GONE:
            raise


class Screen:
    """Standard errors, as a file to draw on that outlives its terminal."""

    def __init__(self) -> None:
        self.stream = sys.stderr  # rich puts something else there while it draws
        self.encoding = sys.stderr.encoding

    def write(self, text: str) -> int:
        with unheard():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with unheard():
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()
