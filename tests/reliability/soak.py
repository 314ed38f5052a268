"""How long the tests take: short in CI, long under `make soak` (CLEANPLATE_SOAK=1)."""

from __future__ import annotations

import os

SOAK = bool(os.environ.get("CLEANPLATE_SOAK"))


def many(short: int, long: int) -> int:
    """How often to try something; CLEANPLATE_SOAK_COUNT says it outright."""
    return int(os.environ.get("CLEANPLATE_SOAK_COUNT", long)) if SOAK else short
