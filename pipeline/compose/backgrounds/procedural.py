"""Generated backgrounds: a colour gradient, cloudy texture, lights out of focus, and noise."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.compose.backgrounds import Candidate, ChooseFn, Sources
from pipeline.io.parcel import Source

OCTAVES = (3, 6, 12, 24)  # grid sizes of the texture
MAX_LIGHTS = 14


def chooser(sources: Sources, candidates: Sequence[Candidate]) -> ChooseFn:
    """No donor is needed; see `pipeline.compose.backgrounds`."""
    return lambda person, seed: ""


def reads(sources: Sources, donor: str) -> list[Source]:
    """Nothing; see `pipeline.compose.backgrounds`."""
    return []


def facts(sources: Sources, donor: str) -> list[str]:
    """The generator decides alone; see `pipeline.compose.backgrounds`."""
    return []


def picture(sources: Sources, donor: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """A new picture for each `rng`; see `pipeline.compose.backgrounds`."""
    small = max(32, size // 2)
    plate = gradient(small, rng) + texture(small, rng)
    if rng.random() < 0.6:
        plate = lights(plate, rng)
    if rng.random() < 0.5:
        plate = cv2.GaussianBlur(plate, (0, 0), float(rng.uniform(0.5, 3.0)))
    smooth = cv2.resize(plate, (size, size), interpolation=cv2.INTER_LINEAR)
    raw = np.frombuffer(rng.bytes(size * size), np.uint8).reshape(size, size)
    noise = raw.astype(np.float32) * np.float32(rng.uniform(0, 16) / 255)
    return cv2.add(smooth, cv2.merge([noise] * 3), dtype=cv2.CV_8U)


def gradient(size: int, rng: np.random.Generator) -> np.ndarray:
    """float32 [size, size, 3] in [0, 255]: four random corner colours, blended, around one random base."""
    base = rng.uniform(25, 230, 3)
    corners = np.clip(base + rng.normal(0, 35, (2, 2, 1)) + rng.normal(0, 20, (2, 2, 3)), 0, 255)
    return _stretched(corners.astype(np.float32), size, cv2.INTER_LINEAR)


def texture(size: int, rng: np.random.Generator) -> np.ndarray:
    """float32 [size, size, 3] around 0: value noise in octaves, sometimes stretched like boards."""
    strength, fall = rng.uniform(5, 30), rng.uniform(0.4, 0.9)
    wide = int(rng.choice([1, 1, 4]))
    out = np.zeros((size, size), np.float32)
    for i, n in enumerate(OCTAVES):
        rows, columns = (n, max(2, n // wide)) if rng.random() < 0.5 else (max(2, n // wide), n)
        grid = rng.standard_normal((rows, columns), np.float32) * np.float32(strength * fall**i)
        out += cv2.resize(grid, (size, size), interpolation=cv2.INTER_LINEAR)
    tint = rng.uniform(0.7, 1.3, 3).astype(np.float32)
    return cv2.merge([out * t for t in tint])


def lights(plate: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`plate` with discs of coloured light, like lights out of focus (bokeh)."""
    size = plate.shape[0]
    layer = np.zeros_like(plate)
    for _ in range(int(rng.integers(3, MAX_LIGHTS + 1))):
        x, y = (int(v) for v in rng.integers(0, size, 2))
        colour = rng.uniform(30, 110) * rng.uniform(0.5, 1.0, 3)
        disc = np.zeros((size, size), np.uint8)
        cv2.circle(disc, (x, y), int(rng.integers(size // 24 + 1, size // 7 + 2)), 255, -1, cv2.LINE_AA)
        layer += disc[..., None] * (colour / 255).astype(np.float32)
    return plate + layer


def _stretched(grid: np.ndarray, size: int, interpolation: int) -> np.ndarray:
    """`grid` [h, w, 3] stretched so that its corner values lie on the picture's corners."""
    h, w = grid.shape[:2]
    x = np.linspace(0, w - 1, size, dtype=np.float32)
    y = np.linspace(0, h - 1, size, dtype=np.float32)
    return cv2.remap(grid, *np.meshgrid(x, y), interpolation)
