"""Errors for users: what is wrong, where, the value received, the values allowed, and the fix."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # terminal codes in libraries' messages


class UserError(Exception):
    """An error that the user can fix. The stage command prints it without a traceback and exits with 1.

    Args:
        what: one sentence about the fault.
        got: the value received (shown with `repr`).
        allowed: the allowed values, or a description of them.
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
    """All faults of one input at once."""

    def __init__(
        self, what: str, problems: Iterable[str], *, fix: str | None = None, max_shown: int = 50
    ) -> None:
        rows = [printable(p) for p in problems]
        shown = [f"  - {row}" for row in rows[:max_shown]]
        if len(rows) > max_shown:
            shown.append(f"  … and {len(rows) - max_shown} more")
        super().__init__("\n".join([f"{what} ({len(rows)} in all):", *shown]), fix=fix)
        self.problems = rows


def printable(text: str) -> str:
    """`text` with control characters and undecodable bytes escaped, safe for a terminal."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, without terminal codes; its class name if it has no message."""
    return (ESCAPES.sub("", str(error)).strip() or type(error).__name__).splitlines()[0]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, or None."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def format_error(error: Exception) -> str:
    """The message for any error, without a traceback."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"\n  where:   {printable(str(error.filename))}" if error.filename else ""
        return f"{error.strerror}{place}"
    if isinstance(error, ImportError) and error.name:
        return (
            f"this Python cannot import {error.name}\n  got:     {sys.executable}\n"
            "  fix:     run `make setup`, which makes .venv, or install requirements.lock into this Python"
        )
    what = f"unexpected {type(error).__name__}: {printable(ESCAPES.sub('', str(error)))}"
    return f"{what}\n  fix:     run again with --debug and report the traceback"
