"""The mouth and what grows around it."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Array, Canvas, curve, ellipse, mix
from demo.drawing.face import outline
from demo.drawing.look import Look
from demo.drawing.pose import Pose


def draw_mouth(canvas: Canvas, pose: Pose, look: Look, clip: Array) -> None:
    """Two lips, closed or showing teeth with a wide smile."""
    s, y = pose.scale, 0.56
    w = 0.23 + 0.06 * pose.smile
    lift = 0.05 * pose.smile - 0.025 * look.wrinkles
    full = (1.0 if look.female else 0.72) * (1 + 0.15 * look.youth - 0.38 * look.wrinkles)
    gap = max(0.0, pose.smile - 0.45) * 0.13
    left, right = (-w, y - lift), (w, y - lift)
    top = [
        left,
        (-0.09, y - 0.062 * full - 0.01),
        (0, y - 0.045 * full - 0.01),
        (0.09, y - 0.062 * full - 0.01),
        right,
    ]
    seam_up = [left, (-0.1, y - 0.004), (0.0, y + 0.006), (0.1, y - 0.004), right]
    seam_low = [left, (-0.1, y + gap * 0.9), (0.0, y + gap + 0.008), (0.1, y + gap * 0.9), right]
    bottom = [
        left,
        (-0.12, y + gap + 0.072 * full),
        (0, y + gap + 0.098 * full),
        (0.12, y + gap + 0.072 * full),
        right,
    ]

    def line(points: list[tuple[float, float]]) -> Array:
        return curve(pose.on_face(points, bump=0.06))

    def between(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> Array:
        return np.concatenate([line(a), line(b)[::-1]])

    dark = mix(look.lips, (70, 20, 24), 0.5)
    canvas.fill(between(top, bottom), look.lips, blur=0.6, clip=clip)
    canvas.fill(between(top, seam_up), dark, 0.35, blur=1.0, clip=clip)
    if gap > 0.01:
        canvas.fill(between(seam_up, seam_low), (70, 24, 26), clip=clip)
        canvas.fill(
            between(seam_up, [(x * 0.86, v - gap * 0.25) for x, v in seam_low]),
            (248, 244, 236),
            0.95,
            clip=clip,
        )
    canvas.stroke([line(seam_up)], mix(dark, (40, 10, 12), 0.5), 1.6, 0.85, clip=clip)
    shine = pose.on_face(ellipse(-0.04, y + gap + 0.05 * full, 0.07, 0.014), bump=0.06)
    canvas.fill(shine, (255, 236, 228), 0.45 if look.female else 0.2, blur=0.015 * s, clip=clip)
    for side in (-1.0, 1.0):
        corner = pose.on_face(ellipse(side * (w + 0.015), y - lift, 0.03, 0.025), bump=0.05)
        canvas.fill(corner, look.shade, 0.5, blur=0.015 * s, clip=clip)
    philtrum = pose.on_face([(0.0, 0.40), (0.0, 0.48)], bump=0.06)
    canvas.stroke([philtrum], look.shade, 0.035 * s, 0.25, blur=0.015 * s, clip=clip)


def draw_beard(canvas: Canvas, pose: Pose, look: Look, clip: Array, rng: np.random.Generator) -> None:
    """Stubble, moustache or full beard, under the lips' paint."""
    if look.beard == "none":
        return
    s = pose.scale
    colour = mix(look.hair, look.shade, 0.2)
    rim = outline(look)
    low = rim[rim[:, 1] > 0.1]
    low = low[np.argsort(np.arctan2(low[:, 1] - 0.1, low[:, 0]))]
    inner = [(-0.5, 0.36), (-0.33, 0.45), (-0.2, 0.40), (0, 0.385), (0.2, 0.40), (0.33, 0.45), (0.5, 0.36)]
    jaw = np.concatenate([pose.flat(low), curve(pose.on_face(inner))])
    lip = curve(
        pose.on_face([(-0.3, 0.53), (-0.17, 0.41), (0, 0.385), (0.17, 0.41), (0.3, 0.53), (0, 0.50)], 0.06),
        True,
    )
    if look.beard == "stubble":
        canvas.fill(jaw, colour, 0.20, blur=0.07 * s, clip=clip)
        canvas.fill(lip, colour, 0.14, blur=0.04 * s, clip=clip)
        return
    if look.beard == "full":
        canvas.fill(jaw, colour, 0.86, blur=0.035 * s, clip=clip)
    canvas.fill(lip, colour, 0.88, blur=0.018 * s, clip=clip)
    area = canvas.mask(jaw if look.beard == "full" else lip) * clip
    hairs = []
    for x, y in zip(rng.uniform(-0.62, 0.62, 220), rng.uniform(0.36, 1.0, 220), strict=True):
        drift = 0.25 * x + rng.normal(0, 0.02)
        hairs.append(pose.on_face([(x, y), (x + drift * 0.2, y + 0.07)]))
    canvas.stroke(hairs[::2], mix(colour, (20, 16, 14), 0.35), 1.0, 0.35, clip=area)
    canvas.stroke(hairs[1::2], mix(colour, (255, 240, 225), 0.3), 1.0, 0.35, clip=area)
