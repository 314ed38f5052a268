"""Where the head is in one photo and how it is turned: face units to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.drawing.canvas import Array


@dataclass(frozen=True)
class Pose:
    """One photo's jitter. A face unit is half the face's height below the brows, `scale` pixels.

    Face units: the origin lies between the eyes and the nose, x to the right of the picture, y down; the chin
    is at y = 1, the skull's top at -1.25, the eyes at (+-0.34, -0.12).
    """

    x: float  # pixels
    y: float  # pixels
    scale: float  # pixels for each face unit
    roll: float  # radians, clockwise
    yaw: float  # radians, towards the right of the picture
    pitch: float  # radians, downwards
    smile: float  # 0..1
    lids: float  # 0..1, how open the eyes are
    light: float  # -1..1, from the left .. from the right
    gain: float  # brightness, about 1
    warmth: float  # -1..1, cool .. warm
    veil: float  # 0..1, how much stray light washes the photo out

    def flat(self, points: Array | list[tuple[float, float]], tilt: float = 1.0) -> Array:
        """Points of the outline (head, hair; `tilt` = 0.25 for the body) to pixels, (n, 2)."""
        p = np.asarray(points, np.float32)
        c, s = np.cos(self.roll * tilt), np.sin(self.roll * tilt)
        x, y = p[:, 0] * self.scale, p[:, 1] * self.scale
        return np.stack([self.x + x * c - y * s, self.y + x * s + y * c], 1).astype(np.float32)

    def on_face(self, points: Array | list[tuple[float, float]], bump: float = 0.0) -> Array:
        """Points on the rounded front of the face to pixels; `bump` lifts them towards the viewer (nose)."""
        p = np.asarray(points, np.float32)
        depth = 0.75 * np.sqrt(np.clip(1 - (p[:, 0] / 0.9) ** 2 - (p[:, 1] / 1.4) ** 2, 0.02, 1)) + bump
        x = p[:, 0] * np.cos(self.yaw) + depth * np.sin(self.yaw)
        y = p[:, 1] * np.cos(self.pitch) + depth * np.sin(self.pitch)
        return self.flat(np.stack([x, y], 1).astype(np.float32))


def jitter(rng: np.random.Generator, width: int, height: int) -> Pose:
    """The pose of one photo of a `width` x `height` picture."""
    return Pose(
        x=float(width * (0.5 + rng.uniform(-0.06, 0.06))),
        y=float(height * (0.42 + rng.uniform(-0.035, 0.035))),
        scale=float(width * rng.uniform(0.215, 0.26)),
        roll=float(np.clip(rng.normal(0, 0.05), -0.12, 0.12)),
        yaw=float(np.clip(rng.normal(0, 0.11), -0.25, 0.25)),
        pitch=float(np.clip(rng.normal(0, 0.04), -0.08, 0.08)),
        smile=float(rng.uniform(0, 1)),
        lids=float(0.15 if rng.uniform() < 0.07 else rng.uniform(0.8, 1.0)),
        light=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 1)),
        gain=float(rng.uniform(0.92, 1.12)),
        warmth=float(rng.uniform(-1, 1)),
        veil=float(rng.uniform(0, 0.10)),
    )
