"""Detects text that a spreadsheet would run as a formula (CSV injection)."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also in Japanese full width


def begins_formula(cell: str) -> bool:
    """Whether a spreadsheet would run a cell with this text; the list is OWASP's."""
    return cell[:1] in ("\t", "\r", "\n") or cell.lstrip().startswith(FORMULA)


def formula_problem(name: str) -> str:
    """Why `name` is not allowed, or "": tables contain names unescaped, since an apostrophe in front would
    break look-ups.
    """
    if begins_formula(name):
        return f"begins with {name.lstrip()[:1]!r}, which a spreadsheet would run as a formula; rename it"
    return ""
