"""Unicode spellings of one name: `é` is one character (NFC) or two (NFD, on Macs).

Names from tables and names on disk are compared in NFC. A key keeps its spelling on disk; two names on disk
that differ only in spelling are refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def nfc(name: str) -> str:
    """The name in NFC, for comparisons."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def spelling_clashes(names: Iterable[str]) -> list[str]:
    """One sentence for every name with several spellings."""
    spellings: dict[str, set[str]] = {}
    for name in names:
        spellings.setdefault(nfc(name), set()).add(name)
    return [clash_message(*sorted(variants)) for variants in spellings.values() if len(variants) > 1]


def clash_message(*spellings: str) -> str:
    """The error about spellings of one name, escaped because they look alike."""
    return f"{' and '.join(map(ascii, spellings))} are one name in two Unicode spellings; rename one of them"
