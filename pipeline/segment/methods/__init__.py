"""Segmenters: one file = one value of `segment.method`.

Each file offers what `SegmenterModule` names:

- `VERSION`: changes whenever the same photo may give another matte, so that cached results are not reused;
- `identity(segment, root, fitted)`: everything besides the photo that decides the result: the params that
  matter, the hash of the weights, backend and precision. Runs in the main process; may download weights.
  JSON values only, no paths;
- `prepare(segment, root, fitted)`: work done once before workers start, e.g. converting weights; returns a
  `RunPlan`;
- `create(segment, root, fitted)`: called in every worker; returns a `SegmentFn`. It takes a list of photos
  (uint8 [H, W, 3], RGB, upright) and returns their alphas in the same order (uint8 [H, W], 0 = background,
  255 = person). The alpha of a photo must not depend on its neighbours in the list. `create` returns None
  for a segmenter without mattes.

`segment` is the params section, `root` the folder that holds `.cache`, `fitted` the output folder of
fit_segmenter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline.params.preparation import Segment

SegmentFn = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


@dataclass(frozen=True)
class RunPlan:
    """How a segmenter will run: a description for the log, and photos per call.

    With `batch` 1 it runs in worker processes of one thread each; with more, in this process, fed by threads.
    """

    description: str
    batch: int = 1


class SegmenterModule(Protocol):
    """The shape of a file in this folder; see the text above."""

    VERSION: str

    def identity(self, segment: Segment, root: Path, fitted: Path) -> dict[str, Any]: ...

    def prepare(self, segment: Segment, root: Path, fitted: Path) -> RunPlan: ...

    def create(self, segment: Segment, root: Path, fitted: Path) -> SegmentFn | None: ...
