"""One name, two spellings: `é` is one character (NFC) or two (NFD, which Macs write).

Wherever a name from a table meets a name on disk, they are compared composed (NFC). A key keeps the spelling
that the disk has; two names on disk that differ only in this are refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def composed(name: str) -> str:
    """The name as it is compared (NFC)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def spelled_twice(names: Iterable[str]) -> list[str]:
    """One sentence for every name that occurs in several spellings."""
    spellings: dict[str, set[str]] = {}
    for name in names:
        spellings.setdefault(composed(name), set()).add(name)
    return [clash(*sorted(several)) for several in spellings.values() if len(several) > 1]


def clash(*spellings: str) -> str:
    """The sentence about spellings of one name, which look alike unless they are escaped."""
    return f"{' and '.join(map(ascii, spellings))} are one name in two Unicode spellings; rename one of them"
