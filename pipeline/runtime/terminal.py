"""Output streams: any encoding, and terminals that may be closed."""

from __future__ import annotations

import codecs
import errno
import io
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

ERROR_HANDLER = "cleanplate.readable"
CLOSED_ERRORS = (errno.EIO, errno.EPIPE)  # the terminal was closed, the pipe's reader has ended
ASCII = {
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
    """Makes stdout and stderr print unencodable characters in ASCII instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERROR_HANDLER)


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler for unencodable characters."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_to_ascii(c) for c in error.object[error.start : error.end]), error.end


def _to_ascii(character: str) -> str:
    """ASCII for one character: a lookalike, the letter without accents, or an escape."""
    if character in ASCII:
        return ASCII[character]
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return bare or character.encode("ascii", "backslashreplace").decode()


codecs.register_error(ERROR_HANDLER, _replace_unencodable)


@contextmanager
def ignore_closed_terminal() -> Iterator[None]:
    """Ignores errors of a closed terminal, so that a stage continues."""
    try:
        yield
    except OSError as e:
        if e.errno not in CLOSED_ERRORS:
            raise


class TerminalStream:
    """stderr as a file for rich, ignoring a closed terminal."""

    def __init__(self) -> None:
        self.stream = sys.stderr  # rich replaces sys.stderr while it draws
        self.encoding = sys.stderr.encoding

    def write(self, text: str) -> int:
        with ignore_closed_terminal():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with ignore_closed_terminal():
            self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()
