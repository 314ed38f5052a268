"""Detectors: one file = one value of `detect.method`.

Each file offers what `DetectorModule` names:

- `VERSION`: changes whenever the same photo may give another box, so that nothing cached is taken for it;
- `identity(detect, root)`: everything that decides the result: the params that matter, sha256 of weights,
  `backend` and `precision` (which the log shows); JSON values only. Runs in the stage's process, may fetch;
- `prepare(detect, root)`: work done once before workers start, e.g. converting weights;
- `create(detect, root)`: called in every worker; gives the function that looks at photos. It gets a list of
  photos (uint8 [H, W, 3], RGB, upright) and returns, in the same order, what was found or None. The result
  for a photo must not depend on its neighbours in the list. None in a file that needs no look at the photos.

`detect` is the params section, `root` the folder that holds `.cache`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.detect.boxes import Detection
from pipeline.params.schema import Detect

Look = Callable[[Sequence[np.ndarray]], list[Detection | None]]


class DetectorModule(Protocol):
    """The shape of a file in this folder; see the text above."""

    VERSION: str
    create: Callable[[Detect, Path], Look] | None

    def identity(self, detect: Detect, root: Path) -> dict[str, Any]: ...

    def prepare(self, detect: Detect, root: Path) -> None: ...
