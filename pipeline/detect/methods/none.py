"""detect.method none: no detector; every box is the whole photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.params.preparation import Detect

VERSION = "1"
create = None


def identity(detect: Detect, root: Path) -> dict[str, Any]:
    return {"version": VERSION}


def prepare(detect: Detect, root: Path) -> None:
    return None
