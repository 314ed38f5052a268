"""What a picture looks like in a few hundred numbers, without a network: gradients, colours, a hash."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 64  # pixels that gradients are taken of
CELL = 8
BINS = 9
COLOURS = 6  # side of the coarse colour picture
HASH = 16  # side of the difference hash: 256 bits


def gradients(picture: np.ndarray) -> np.ndarray:
    """float32 [8 · 8 · 9]: histograms of gradient directions in cells, each 2 × 2 cells normalised together.

    After Dalal & Triggs, Histograms of Oriented Gradients (2005); signed directions are folded to 180°.

    Args:
        picture: uint8 [H, W, 3] RGB.
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    dy, dx = np.gradient(gray)
    size = np.hypot(dx, dy)
    direction = (np.arctan2(dy, dx) % np.pi) * (BINS / np.pi)
    low = np.floor(direction).astype(np.int64)
    share = direction - low
    cells = np.arange(SIDE) // CELL
    cell = (cells[:, None] * (SIDE // CELL) + cells[None]) * BINS
    count = (SIDE // CELL) ** 2 * BINS
    table = np.bincount((cell + low % BINS).ravel(), ((1 - share) * size).ravel(), count)
    table += np.bincount((cell + (low + 1) % BINS).ravel(), (share * size).ravel(), count)
    grid = table.reshape(SIDE // CELL, SIDE // CELL, BINS)
    power = cv2.blur((grid**2).sum(axis=2), (3, 3), borderType=cv2.BORDER_REFLECT)
    power = np.maximum(power, 0)  # blur's running sums leave tiny negatives where a picture is flat
    return np.sqrt(grid / (np.sqrt(power)[..., None] + 1e-3)).ravel().astype(np.float32)


def colours(picture: np.ndarray) -> np.ndarray:
    """float32 [108]: the picture at 6 × 6 pixels, Lab, about [-0.5, 0.5]."""
    small = cv2.resize(picture, (COLOURS, COLOURS), interpolation=cv2.INTER_AREA)
    return (cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32) / 255 - 0.5).ravel()


def difference_hash(picture: np.ndarray) -> np.ndarray:
    """uint64 [4]: whether each of 16 × 16 pixels is darker than its right neighbour.

    dHash, N. Krawetz (2013).
    """
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (HASH + 1, HASH), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] < small[:, 1:]).view(np.uint64)
