"""What age writes into a face: lines, folds, bags under the eyes, spots."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Array, Canvas, curve, ellipse, mix
from demo.drawing.face import light_of
from demo.drawing.look import Look
from demo.drawing.pose import Pose


def draw_wrinkles(canvas: Canvas, pose: Pose, look: Look, clip: Array, rng: np.random.Generator) -> None:
    """Paint them as strongly as `look.wrinkles` says; nothing on a young face."""
    amount = look.wrinkles
    if amount < 0.08:
        return
    _folds(canvas, pose, look, clip)
    ink, lit, s = mix(look.shade, (70, 36, 30), 0.3), light_of(look), pose.scale

    def crease(points: list[tuple[float, float]], opacity: float, width: float = 1.3) -> None:
        line = curve(pose.on_face(points))
        canvas.stroke([line], ink, width, min(0.9, opacity), blur=0.6, clip=clip)
        canvas.stroke(
            [line + np.array([0, 0.022 * s], np.float32)], lit, 1.2, opacity * 0.45, blur=0.8, clip=clip
        )

    for row, y in enumerate((-0.52, -0.62, -0.72)):
        if amount > 0.25 + 0.2 * row:
            w = 0.36 - 0.05 * row
            wave = [
                (x * w, y + 0.03 * (1 - abs(x)) * -1 + rng.normal(0, 0.008)) for x in (-1, -0.5, 0, 0.5, 1)
            ]
            crease(wave, 0.85 * amount)
    for side in (-1.0, 1.0):
        if amount > 0.3:
            for end in (-0.24, -0.15, -0.06, 0.02):
                crease(
                    [
                        (side * 0.55, -0.11 + end * 0.12),
                        (side * 0.63, -0.12 + end * 0.6),
                        (side * 0.70, -0.08 + end),
                    ],
                    0.75 * amount,
                )
        if amount > 0.5:
            crease([(side * 0.04, -0.42), (side * 0.055, -0.35), (side * 0.045, -0.28)], 0.7 * amount)
            crease([(side * 0.40, 0.60), (side * 0.43, 0.70), (side * 0.41, 0.80)], 0.7 * amount)
    if amount > 0.55:
        for _ in range(5):
            x, y = (
                float(rng.uniform(-0.6, 0.6)),
                float(rng.choice([rng.uniform(-0.9, -0.55), rng.uniform(0.1, 0.35)])),
            )
            r = float(rng.uniform(0.014, 0.03))
            canvas.fill(pose.on_face(ellipse(x, y, r, r * 0.8)), look.shade, 0.35, blur=0.8, clip=clip)


def _folds(canvas: Canvas, pose: Pose, look: Look, clip: Array) -> None:
    """Folds from nose to mouth, bags under the eyes, jowls."""
    amount, s = look.wrinkles, pose.scale
    ink = mix(look.shade, (70, 36, 30), 0.25)
    for side in (-1.0, 1.0):
        fold = [(side * 0.18, 0.24), (side * 0.28, 0.36), (side * 0.34, 0.50), (side * 0.345, 0.60)]
        line = curve(pose.on_face(fold))
        canvas.stroke([line], ink, 0.05 * s, 0.35 * amount, blur=0.025 * s, clip=clip)
        canvas.stroke([line], ink, 1.5, 0.8 * amount, blur=0.5, clip=clip)
        for depth, opacity in ((0.06, 0.6), (0.115, 0.32)):
            bag = [
                (side * 0.19, -0.05),
                (side * 0.30, -0.03 + depth),
                (side * 0.42, -0.035 + depth),
                (side * 0.50, -0.05),
            ]
            canvas.stroke([curve(pose.on_face(bag))], ink, 1.5, opacity * amount, blur=0.8, clip=clip)
        pouch = pose.on_face(ellipse(side * 0.34, 0.01, 0.14, 0.05))
        canvas.fill(pouch, look.shade, 0.25 * amount, blur=0.03 * s, clip=clip)
        jowl = pose.on_face(ellipse(side * 0.47, 0.72, 0.10, 0.11))
        canvas.fill(jowl, ink, 0.4 * max(0.0, amount - 0.3), blur=0.045 * s, clip=clip)
