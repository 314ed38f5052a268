"""`data`: where the photos are; `ingest`: what is accepted; `machine`: what changes speed but no output."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.section import Section

Level = Annotated[int, Field(ge=0, le=255)]


class Data(Section):
    """Where the photos are and how they are laid out."""

    root: str = Field(min_length=1)
    layout: str = "folders"  # a file in pipeline/dataset/layouts/
    table: str = "photos.csv"  # layout csv: the table's path below root
    shards: int | None = Field(default=None, ge=0)  # pictures per tar shard; null or 0 = a file each


class Ingest(Section):
    """Which files become photos."""

    max_quarantine: float = Field(
        default=0.01, ge=0, le=1
    )  # share of files set aside above which the run fails
    max_pixels: int = Field(default=50_000_000, gt=0)  # larger photos are refused from the header
    verify: Literal["header", "strict"] = "strict"  # strict decodes every byte
    background: tuple[Level, Level, Level] = (255, 255, 255)  # RGB put behind transparent pixels


class Machine(Section):
    """Changes speed, never an output; no stage depends on it."""

    workers: int | None = Field(default=None, ge=1, le=256)  # null = one per usable CPU
    cache_gb: float = Field(default=20.0, ge=0)  # size cap of the item cache
