"""Where the backgrounds of synthetic pictures come from: one file here = one value of
`synthesize.backgrounds`.

Each file offers two functions:

- `chooser(sources, candidates) -> choose`, called once, in the main process; raises UserError where nothing
  can be offered. `choose(person, seed) -> donor`: what goes behind `person` (a `Candidate`), as a name that
  is written to synthetic.parquet ("" = made from nothing). A donor that is a photo of the set has the **same
  fold** and a **different person**: whichever fold validates, no pixel of it reaches training.
- `picture(sources, donor, size, rng) -> picture`, called in the workers: uint8 [size, size, 3] RGB that
  covers the whole frame, the same for the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.io.image_store import ImageStore


@dataclass(frozen=True)
class Sources:
    """What backgrounds may be made of."""

    photos: Path  # folder that image keys are relative to
    mattes: ImageStore
    folder: Path | None = None  # pictures of the user's own
    behind: tuple[int, int, int] = (255, 255, 255)  # RGB behind transparent pixels
    workers: int | None = None


class Candidate(NamedTuple):
    """A photo whose background may be taken."""

    image: str
    person: str
    fold: int


Choose = Callable[[Candidate, int], str]
