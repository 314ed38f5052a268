"""The boxes of a few anchors of YOLOv8, each computed from a 5 x 5 patch of one feature map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Level:
    """One feature map's box convolutions: 3 x 3, 3 x 3, 1 x 1; weights [kh, kw, in, out], float32."""

    stride: int
    weight1: np.ndarray
    bias1: np.ndarray
    weight2: np.ndarray
    bias2: np.ndarray
    weight3: np.ndarray
    bias3: np.ndarray


class BoxBranch:
    """The box branch of a YOLOv8 head.

    Args:
        levels: by stride, finest first, in the order of the network's outputs.
    """

    def __init__(self, levels: Sequence[Level]) -> None:
        self.levels = list(levels)

    def locate(self, anchor: int, height: int, width: int) -> tuple[int, int, int]:
        """Level, row and column of anchor number `anchor` in an input of height x width pixels."""
        for n, level in enumerate(self.levels):
            rows, columns = height // level.stride, width // level.stride
            if anchor < rows * columns:
                return n, anchor // columns, anchor % columns
            anchor -= rows * columns
        raise IndexError(anchor)

    def decode(
        self, level_index: int, patches: np.ndarray, inside: np.ndarray, cells: np.ndarray
    ) -> np.ndarray:
        """Boxes of K anchors of one level: xyxy in pixels of the network's input, float32 [K, 4].

        Args:
            level_index: 0 = the finest.
            patches: features float32 [K, 5, 5, C] around the anchors, zero outside the map.
            inside: bool [K, 5, 5]: which of them are inside the map.
            cells: row and column of each anchor, int [K, 2].

        The distances to the four edges are means of a distribution over 0 … 15 strides (distribution focal
        loss, arXiv:2006.04388, as in ultralytics' `DFL` and `dist2bbox`).
        """
        level = self.levels[level_index]
        hidden = _convolve(patches, level.weight1, level.bias1)
        hidden = _silu(hidden) * inside[:, 1:4, 1:4, None]  # the second convolution is padded with zeros too
        hidden = _silu(_convolve(hidden, level.weight2, level.bias2))
        logits = _convolve(hidden, level.weight3, level.bias3).reshape(len(patches), 4, -1)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        distance = weights @ np.arange(weights.shape[2], dtype=np.float32) / weights.sum(axis=2)
        centre = cells[:, ::-1].astype(np.float32) + np.float32(0.5)
        corners = np.concatenate([centre - distance[:, :2], centre + distance[:, 2:]], axis=1)
        return corners * np.float32(level.stride)

    def save(self, path: Path) -> None:
        """Writes all weights to one .npz file."""
        arrays = {
            f"{n}.{f.name}": getattr(level, f.name)
            for n, level in enumerate(self.levels)
            for f in fields(Level)
        }
        with path.open("wb") as f:
            np.savez(f, **arrays)

    @staticmethod
    def load(path: Path) -> BoxBranch:
        """The inverse of `save`."""
        with np.load(path, allow_pickle=False) as arrays:
            count = 1 + max(int(name.split(".")[0]) for name in arrays.files)
            return BoxBranch(
                [
                    Level(int(arrays[f"{n}.stride"]), *(arrays[f"{n}.{f.name}"] for f in fields(Level)[1:]))
                    for n in range(count)
                ]
            )


def patch_bounds(row: int, column: int, rows: int, columns: int) -> tuple[slice, slice, slice, slice]:
    """The overlap of the 5 x 5 patch around (row, column) with a map: on the map, then in the patch."""
    top, left = max(row - 2, 0), max(column - 2, 0)
    bottom, right = min(row + 3, rows), min(column + 3, columns)
    in_patch = slice(top - row + 2, bottom - row + 2), slice(left - column + 2, right - column + 2)
    return slice(top, bottom), slice(left, right), *in_patch


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Valid convolution of [K, H, W, C] with [kh, kw, C, O] -> [K, H - kh + 1, W - kw + 1, O]."""
    kh, kw = weight.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))  # [K, h, w, C, kh, kw]
    k, h, w = windows.shape[:3]
    columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(k * h * w, -1)
    return (columns @ weight.reshape(-1, weight.shape[-1])).reshape(k, h, w, -1) + bias


def _silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))
