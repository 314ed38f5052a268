"""Face networks: one file = one name in `faces.network`.

Each file offers what `FaceNetworkModule` names:

- `VERSION`: changes whenever the same face may give other numbers, so that cached results are not reused;
- `identity(faces, root)`: everything besides photo, box and landmarks that decides the result: the params
  that matter, sha256 of weights, `backend` and `precision` (which the log shows); JSON values only. Runs in
  the main process, may download;
- `prepare(faces, root)`: work done once before workers start, e.g. converting weights;
- `create(faces, root)`: called in every worker; returns a `LookFn`. It takes a list of `Face` and returns
  their `FaceNumbers` in the same order. The numbers of a face must not depend on its neighbours in the list;
- `weight_names(faces)`: the names or paths of its weights, as `pipeline.networks.weights.resolve` takes them.

`faces` is the params section, `root` the folder that holds `.cache`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from pipeline.faces.numbers import Face, FaceNumbers
from pipeline.params.preparation import Faces

LookFn = Callable[[Sequence[Face]], list[FaceNumbers]]


class FaceNetworkModule(Protocol):
    """The shape of a file in this folder; see the text above."""

    VERSION: str

    def identity(self, faces: Faces, root: Path) -> dict[str, Any]: ...

    def prepare(self, faces: Faces, root: Path) -> None: ...

    def create(self, faces: Faces, root: Path) -> LookFn: ...

    def weight_names(self, faces: Faces) -> tuple[str, ...]: ...
