"""What hair is made of: its tones, the strands within it, the single hairs that leave it."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Array, Canvas, Colour, curve, mix
from demo.drawing.look import Look
from demo.drawing.pose import Pose


def tones_of(look: Look) -> tuple[Colour, Colour, Colour]:
    """The hair in shade, as it is, and in light."""
    base = look.hair
    return mix(base, (8, 6, 10), 0.38 - 0.2 * look.grey), base, mix(base, (255, 232, 200), 0.26)


def draw_strands(
    canvas: Canvas,
    top: Array,
    front: Array,
    clip: Array,
    rng: np.random.Generator,
    dark: Colour,
    light: Colour,
    bend: float,
) -> None:
    """Dark and light strands in the cap `clip`, from its upper edge `top` to its lower edge `front`.

    Both edges run from the same end and are in pixels; `bend` is how far a strand strays, in pixels.
    """
    lines: list[Array] = []
    for t in rng.uniform(0.02, 0.98, 110):
        a = top[int(t * (len(top) - 1))]
        b = front[int(np.clip(t + rng.normal(0, 0.03), 0, 1) * (len(front) - 1))]
        lo, hi = sorted(rng.uniform(0, 1, 2))
        mid = a + (b - a) * (lo + hi) / 2 + rng.normal(0, bend, 2)
        lines.append(curve(np.stack([a + (b - a) * lo, mid, a + (b - a) * hi]).astype(np.float32), steps=5))
    canvas.stroke(lines[::2], dark, 1.3, 0.5, clip=clip)
    canvas.stroke(lines[1::2], light, 1.2, 0.38, clip=clip)


def draw_wisps(
    canvas: Canvas, pose: Pose, look: Look, edge: Array, rng: np.random.Generator, count: int
) -> None:
    """Single hairs that leave the outline `edge` (pixels): they make the matte a soft one."""
    centre = np.array([pose.x, pose.y], np.float32)
    lines: list[Array] = []
    for _ in range(count):
        start = edge[int(rng.integers(len(edge)))]
        out = (start - centre) / max(1.0, float(np.hypot(*(start - centre))))
        turn = np.array([-out[1], out[0]]) * (1 if out[0] > 0 else -1)  # hair falls, so the hairs point down
        length = pose.scale * rng.uniform(0.06, 0.19)
        mid = start + (out * 0.22 + turn * 0.5) * length
        tip = start + (out * rng.uniform(0.3, 0.65) + turn * rng.uniform(0.9, 1.1)) * length
        lines.append(curve(np.stack([start - out * 3, mid, tip]).astype(np.float32), steps=5))
    canvas.stroke(lines, mix(look.hair, (255, 240, 220), 0.1), 1.0, 0.5, body=True)
