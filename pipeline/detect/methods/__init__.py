"""Detectors: one file = one value of `detect.method`.

Each file offers what `DetectorModule` names:

- `VERSION`: changes whenever the same photo may give another box, so that cached results are not reused;
- `identity(detect, root)`: everything that decides the result: the params that matter, sha256 of weights,
  `backend` and `precision` (which the log shows); JSON values only. Runs in the main process, may download;
- `prepare(detect, root)`: work done once before workers start, e.g. converting weights;
- `create(detect, root)`: called in every worker; returns a `DetectFn`. It takes a list of photos (uint8
  [H, W, 3], RGB, upright) and returns, in the same order, a `Detection` or None. The result for a photo must
  not depend on its neighbours in the list. `create` is None in a file that needs no pixels.

`detect` is the params section, `root` the folder that holds `.cache`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.detect.boxes import Detection
from pipeline.params.preparation import Detect

DetectFn = Callable[[Sequence[np.ndarray]], list[Detection | None]]


class DetectorModule(Protocol):
    """The shape of a file in this folder; see the text above."""

    VERSION: str
    create: Callable[[Detect, Path], DetectFn] | None

    def identity(self, detect: Detect, root: Path) -> dict[str, Any]: ...

    def prepare(self, detect: Detect, root: Path) -> None: ...
