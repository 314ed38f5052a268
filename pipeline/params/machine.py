"""The section of params.yaml that changes speed, never an output."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from pipeline.params.section import Section


class Machine(Section):
    """Who does the work; no stage depends on it."""

    engine: str = "local"  # a file in pipeline/workers/engines/
    address: str = "auto"  # of a started cluster
    workers: int | None = Field(default=None, ge=1, le=65_536)
    gpus_per_worker: float = Field(default=0.0, ge=0, le=64)
    cache_gb: float = Field(default=20.0, ge=0)

    @field_validator("address")
    @classmethod
    def _is_auto_or_host_and_port(cls, address: str) -> str:
        if address != "auto" and not re.fullmatch(r"[\w.\-\[\]:]+:\d{1,5}", address):
            raise ValueError("must be auto, or HOST:PORT of a started cluster")
        return address
