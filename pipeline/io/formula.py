"""Text that a spreadsheet would run as a formula when a table is opened in it."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also in Japanese full width


def begins_formula(cell: str) -> bool:
    """Whether a cell with this text would be run; the list is OWASP's (CSV injection)."""
    return cell[:1] in ("\t", "\r", "\n") or cell.lstrip().startswith(FORMULA)


def formula_problem(name: str) -> str:
    """Why nobody and nothing can be called this ("" if they can): tables hold names as they are, for
    spreadsheets too, and a name with an apostrophe in front would no longer be found.
    """
    if begins_formula(name):
        return f"begins with {name.lstrip()[:1]!r}, which a spreadsheet would run as a formula; rename it"
    return ""
