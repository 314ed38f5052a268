"""Shoulders and what is worn on them."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Array, Canvas, curve, ellipse, mix
from demo.drawing.look import Look
from demo.drawing.pose import Pose

TILT = 0.25  # how much of the head's roll the body follows


def _torso(look: Look) -> Array:
    w = (1.52 if look.female else 1.82) - 0.06 * look.wrinkles
    neck = 0.50 if look.female else 0.62
    right = [
        (neck * 0.7, 1.26),
        (neck, 1.33),
        (w * 0.62, 1.56),
        (w * 0.90, 1.76),
        (w * 1.02, 2.3),
        (w * 1.06, 3.1),
        (w * 1.04, 4.8),
    ]
    return curve([*right, *[(-x, y) for x, y in right[::-1]]])


def draw_clothes(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """Torso, folds and shade, then the collar of the kind of clothes."""
    s, cloth = pose.scale, look.cloth
    dark, lit = mix(cloth, (18, 16, 28), 0.42), mix(cloth, (255, 248, 236), 0.3)
    shape = pose.flat(_torso(look), TILT)
    canvas.fill(shape, cloth, body=True)
    clip = canvas.mask(shape)
    side = float(np.sign(pose.light))
    for x, y, width in ((-1.35, 2.7, 0.22), (1.35, 2.7, 0.22), (-0.5, 3.2, 0.16), (0.55, 3.1, 0.14)):
        fold = curve([(x * 0.72, y - 0.8), (x * 0.92, y), (x * 0.86, y + 1.3)])
        canvas.stroke([pose.flat(fold, TILT)], dark, width * s, 0.38, blur=0.1 * s, clip=clip)
    w = 1.12 if look.female else 1.36
    arms = [curve([(x * w, 2.15), (x * w * 1.03, 2.9), (x * w * 0.98, 4.8)]) for x in (-1, 1)]
    canvas.stroke(
        [pose.flat(arm, TILT) for arm in arms],
        mix(dark, (0, 0, 0), 0.2),
        0.04 * s,
        0.75,
        blur=0.012 * s,
        clip=clip,
    )
    shoulder = curve([(side * 0.55, 1.58), (side * 1.05, 1.78), (side * 1.35, 2.0)])
    canvas.stroke([pose.flat(shoulder, TILT)], lit, 0.16 * s, 0.55, blur=0.07 * s, clip=clip)
    away = [(-side * 0.9, 1.3), (-side * 2.2, 1.5), (-side * 2.2, 4.5), (-side * 1.2, 4.5)]
    canvas.fill(pose.flat(away, TILT), dark, 0.5, blur=0.22 * s, clip=clip)
    if look.clothes == "tee" and rng.uniform() < 0.5:
        for y in np.arange(1.9, 4.4, 0.34):
            line = curve([(-2, y), (0, y + 0.10), (2, y)])
            canvas.stroke([pose.flat(line, TILT)], mix(look.cloth2, cloth, 0.25), 0.13 * s, 0.8, clip=clip)
    _collar(canvas, pose, look, clip)


def _collar(canvas: Canvas, pose: Pose, look: Look, clip: Array) -> None:
    s, cloth = pose.scale, look.cloth
    dark, lit = mix(cloth, (18, 16, 28), 0.38), mix(cloth, (255, 248, 236), 0.35)
    n = 0.46 if look.female else 0.58

    def fill(
        points: list[tuple[float, float]], colour: tuple[float, float, float], smooth: bool = True
    ) -> Array:
        shape = pose.flat(curve(points, True) if smooth else np.asarray(points, np.float32), TILT)
        canvas.fill(shape, colour, body=True)
        return shape

    skin = mix(look.skin, look.shade, 0.18)  # the neck's own colour
    if look.clothes in ("tee", "vneck", "hoodie"):
        deep = {"tee": 1.66, "vneck": 2.0, "hoodie": 1.6}[look.clothes]
        edge = [
            (-n - 0.03, 1.28),
            (-n * 0.72, 1.28 + (deep - 1.28) * 0.62),
            (0.0, deep),
            (n * 0.72, 1.28 + (deep - 1.28) * 0.62),
            (n + 0.03, 1.28),
        ]
        opening = pose.flat(
            np.concatenate([curve(edge), np.array([(n * 0.6, 1.25), (-n * 0.6, 1.25)], np.float32)]), TILT
        )
        canvas.fill(opening, skin, body=True)
        canvas.stroke([pose.flat(curve(edge), TILT)], mix(cloth, dark, 0.6), 0.085 * s, 0.9, clip=clip)
        if look.clothes == "hoodie":
            hood = [
                (-n - 0.05, 1.2),
                (-n - 0.42, 1.5),
                (-n * 0.8, 1.86),
                (0, 1.94),
                (n * 0.8, 1.86),
                (n + 0.42, 1.5),
                (n + 0.05, 1.2),
            ]
            canvas.stroke(
                [pose.flat(curve(hood), TILT)], mix(cloth, lit, 0.5), 0.2 * s, 0.9, blur=0.02 * s, body=True
            )
            cords = [pose.flat(curve([(x, 1.85), (x * 1.1, 2.3), (x, 2.62)]), TILT) for x in (-0.22, 0.22)]
            canvas.stroke(cords, (240, 236, 226), 0.045 * s, 0.9)
        return
    shirt = (246, 244, 238) if look.clothes == "blazer" else cloth
    under = mix(shirt, (90, 92, 120), 0.18)
    if look.clothes == "blazer":
        fill([(-n, 1.25), (0, 2.9), (n, 1.25)], shirt, smooth=False)
    fill([(-n * 0.62, 1.25), (0, 1.72), (n * 0.62, 1.25)], skin, smooth=False)
    for side in (-1, 1):
        wing = [
            (side * n * 0.78, 1.14),
            (side * (n + 0.06), 1.3),
            (side * n * 0.66, 1.80),
            (side * 0.03, 1.66),
        ]
        shape = fill(wing, mix(shirt, (255, 255, 255), 0.2), smooth=False)
        canvas.stroke([np.concatenate([shape, shape[:1]])], mix(under, (40, 40, 60), 0.35), 1.3, 0.6)
    if look.clothes == "blazer":
        for side in (-1, 1):
            lapel = [
                (side * (n + 0.08), 1.3),
                (side * (n + 0.30), 1.86),
                (side * (n + 0.1), 1.98),
                (side * 0.04, 3.1),
                (side * 0.02, 2.85),
                (side * n * 0.72, 1.6),
            ]
            shape = fill(lapel, mix(cloth, (20, 18, 30), 0.2), smooth=False)
            canvas.stroke([np.concatenate([shape, shape[:1]])], dark, 1.5, 0.7)
        if not look.female:
            fill(
                [(-0.09, 1.68), (0.09, 1.68), (0.16, 2.7), (0, 2.95), (-0.16, 2.7)], look.cloth2, smooth=False
            )
    else:
        canvas.stroke([pose.flat([(0, 1.7), (0.02, 4.4)], TILT)], mix(dark, cloth, 0.3), 1.8, 0.7)
        for y in (2.0, 2.5, 3.0, 3.5):
            canvas.fill(pose.flat(ellipse(0.06, y, 0.04, 0.04, n=12), TILT), lit)
