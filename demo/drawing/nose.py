"""The nose: a shaded ridge, a lit tip, nostrils and the shadow below."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Array, Canvas, curve, ellipse, mix
from demo.drawing.face import light_of
from demo.drawing.look import Look
from demo.drawing.pose import Pose


def draw_nose(canvas: Canvas, pose: Pose, look: Look, clip: Array) -> None:
    """Paint the nose on the face."""
    s, n = pose.scale, look.nose
    away = float(-np.sign(pose.light))
    dark = mix(look.shade, (60, 24, 20), 0.2)
    flank = [(0.06, -0.22), (0.09, 0.05), (0.15 * n, 0.26), (0.05, 0.27), (0.04, 0.0), (0.03, -0.2)]
    near = curve(pose.on_face([(away * x, y) for x, y in flank], bump=0.1), closed=True)
    far = curve(pose.on_face([(-away * x, y) for x, y in flank], bump=0.1), closed=True)
    canvas.fill(near, dark, 0.42 + 0.15 * abs(pose.light), blur=0.03 * s, clip=clip)
    canvas.fill(far, dark, 0.16, blur=0.03 * s, clip=clip)
    ridge = curve(pose.on_face([(0, -0.25), (-away * 0.01, 0.0), (-away * 0.02, 0.2)], bump=0.15))
    canvas.stroke([ridge], light_of(look), 0.07 * s, 0.55, blur=0.03 * s, clip=clip)
    under = pose.on_face(ellipse(0, 0.335, 0.18 * n, 0.04), bump=0.1)
    canvas.fill(under, dark, 0.5, blur=0.025 * s, clip=clip)
    for side in (-1.0, 1.0):
        wing = [
            (side * 0.155 * n, 0.19),
            (side * 0.19 * n, 0.26),
            (side * 0.15 * n, 0.315),
            (side * 0.10 * n, 0.31),
        ]
        canvas.stroke([curve(pose.on_face(wing, bump=0.12))], dark, 1.8, 0.65, blur=0.7, clip=clip)
        hole = pose.on_face(ellipse(side * 0.075 * n, 0.302, 0.045 * n, 0.02, tilt=-side * 0.3), bump=0.2)
        canvas.fill(hole, mix(dark, (30, 10, 8), 0.65), 0.85, blur=0.7, clip=clip)
    tip = pose.on_face(ellipse(-away * 0.03, 0.2, 0.055, 0.045), bump=0.25)
    canvas.fill(tip, mix(light_of(look), (255, 255, 255), 0.3), 0.7, blur=0.03 * s, clip=clip)
