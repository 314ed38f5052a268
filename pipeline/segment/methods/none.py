"""No mattes: photos keep their backgrounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.params.preparation import Segment
from pipeline.segment.methods import RunPlan

VERSION = "1"


def identity(segment: Segment, root: Path, fitted: Path) -> dict[str, Any]:
    """The version alone."""
    return {"version": VERSION}


def prepare(segment: Segment, root: Path, fitted: Path) -> RunPlan:
    """Does nothing."""
    return RunPlan("no mattes")


def create(segment: Segment, root: Path, fitted: Path) -> None:
    """None: there is no segmenter."""
