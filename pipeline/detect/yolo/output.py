"""What YOLOv8's network says about photos, and the interface of whatever runs it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from pipeline.detect.yolo.box_branch import BoxBranch, patch_bounds


class NetOutput(Protocol):
    """The network's output for photos of one size.

    Attributes:
        logits: float32 [N, anchors], person scores before the sigmoid.
    """

    logits: np.ndarray

    def patch(self, photo: int, level: int, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
        """float32 [5, 5, C] around a cell of a level's map, zero outside it; bool [5, 5]: what is inside."""
        ...


class Engine(Protocol):
    """A network ready to run.

    Attributes:
        boxes: computes the boxes of anchors.
        runs_together: photos of one size go through it in one call, as on a GPU.
    """

    boxes: BoxBranch
    runs_together: bool

    def __call__(self, frames: np.ndarray) -> NetOutput: ...  # uint8 [N, height, width, 3] RGB


class MapOutput:
    """Logits and feature maps; the maps may be numpy arrays or tensors on a device, [N, rows, columns, C]."""

    def __init__(self, logits: np.ndarray, maps: list[Any]) -> None:
        self.logits = logits
        self.maps = maps

    def patch(self, photo: int, level: int, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
        features = self.maps[level]
        on_map_y, on_map_x, in_patch_y, in_patch_x = patch_bounds(
            row, column, features.shape[1], features.shape[2]
        )
        cut = features[photo, on_map_y, on_map_x]
        patch = np.zeros((5, 5, features.shape[3]), dtype=np.float32)
        patch[in_patch_y, in_patch_x] = cut if isinstance(cut, np.ndarray) else cut.float().cpu().numpy()
        inside = np.zeros((5, 5), dtype=bool)
        inside[in_patch_y, in_patch_x] = True
        return patch, inside
