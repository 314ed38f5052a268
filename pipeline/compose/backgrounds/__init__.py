"""Backgrounds of synthetic pictures: one file = one value of `synthesize.backgrounds`.

Each file offers four functions:

- `chooser(sources, candidates) -> choose`, called once, in the main process; raises UserError where there is
  nothing to choose from. `choose(person, seed) -> donor`: the background for `person` (a `Candidate`), as a
  name for synthetic.parquet ("" = generated). A donor in the set has the **same fold** and is a **different
  person**: whichever fold validates, no pixel of it leaks into training.
- `facts(sources, donor) -> facts`, called in the workers: JSON values that change if the donor does; with its
  name and the generator they decide the picture.
- `reads(sources, donor) -> files`: what `picture` reads, for workers that do not see it;
- `picture(sources, donor, size, rng) -> picture`, called in the workers: uint8 [size, size, 3] RGB,
  the whole frame, the same for the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipeline.io.image_store import ImageStore
from pipeline.io.photo_store import PhotoStore
from pipeline.params.machine import Machine


@dataclass(frozen=True)
class Sources:
    """Where backgrounds are taken from."""

    photos: PhotoStore
    mattes: ImageStore
    folder: Path | None = None  # the user's pictures
    background_rgb: tuple[int, int, int] = (255, 255, 255)  # RGB behind transparent pixels
    checksums: Mapping[str, str] = field(default_factory=dict)  # sha256 of each photo, to check
    machine: Machine = field(default_factory=Machine)


class Candidate(NamedTuple):
    """A photo with a background to use."""

    image: str
    person: str
    fold: int


ChooseFn = Callable[[Candidate, int], str]
