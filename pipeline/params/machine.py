"""The section of params.yaml that changes speed, never an output."""

from __future__ import annotations

from pydantic import Field

from pipeline.params.section import Section


class Machine(Section):
    """Who does the work; no stage depends on it."""

    engine: str = "local"  # a file in pipeline/workers/engines/
    workers: int | None = Field(default=None, ge=1, le=256)
    cache_gb: float = Field(default=20.0, ge=0)
