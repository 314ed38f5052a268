"""The error that a user reads: what was wrong, what came, what is allowed, where, and what to do."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # that libraries put into messages: bold, colours


class UserError(Exception):
    """Something that the user can mend. The stage command prints it without a traceback and exits with 1.

    Args:
        what: one sentence that says what is wrong.
        got: the value received (shown with `repr`).
        allowed: the values, or a description of the values, that would do.
        where: file, row, param or URL.
        fix: what to do next.
    """

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        allowed: Iterable[object] | str | None = None,
        where: object = None,
        fix: str | None = None,
    ) -> None:
        lines = [what]
        if where is not None:
            lines.append(f"  where:   {printable(str(where))}")
        if got is not None:
            lines.append(f"  got:     {printable(got if isinstance(got, str) else repr(got))}")
        if allowed is not None:
            text = allowed if isinstance(allowed, str) else ", ".join(str(a) for a in allowed)
            lines.append(f"  allowed: {text}")
        if fix is not None:
            lines.append(f"  fix:     {fix}")
        super().__init__("\n".join(lines))


class Problems(UserError):
    """Several things wrong with one input, all listed at once."""

    def __init__(self, what: str, problems: Iterable[str], *, fix: str | None = None, most: int = 50) -> None:
        rows = [printable(p) for p in problems]
        shown = [f"  - {row}" for row in rows[:most]]
        if len(rows) > most:
            shown.append(f"  … and {len(rows) - most} more")
        super().__init__("\n".join([f"{what} ({len(rows)} in all):", *shown]), fix=fix)
        self.problems = rows


def printable(text: str) -> str:
    """`text` with control characters and undecodable bytes escaped: a file name cannot draw on a terminal."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)


def first_line(error: BaseException) -> str:
    """The first line of what a library says, without escape codes; its kind where it says nothing."""
    return (ESCAPES.sub("", str(error)).strip() or type(error).__name__).splitlines()[0]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, or None."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def format_error(error: Exception) -> str:
    """What a command says of any error, without a traceback."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"\n  where:   {printable(str(error.filename))}" if error.filename else ""
        return f"{error.strerror}{place}"
    if isinstance(error, ImportError) and error.name:
        return (
            f"the Python that this was given cannot import {error.name}\n  got:     {sys.executable}\n"
            "  fix:     `make setup` makes the project's own, .venv; or install requirements.lock into this"
        )
    what = f"unexpected {type(error).__name__}: {printable(ESCAPES.sub('', str(error)))}"
    return f"{what}\n  fix:     run again with --debug and report the traceback"
