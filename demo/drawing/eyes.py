"""Eyes, brows and glasses."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Array, Canvas, curve, ellipse, mix
from demo.drawing.look import Look
from demo.drawing.pose import Pose

EYE_X, EYE_Y = 0.34, -0.12


def draw_eyes(canvas: Canvas, pose: Pose, look: Look, clip: Array) -> None:
    """Both eyes: white, iris, pupil, highlight, lids, lashes."""
    for side in (-1.0, 1.0):
        _eye(canvas, pose, look, clip, side)


def _eye(canvas: Canvas, pose: Pose, look: Look, clip: Array, side: float) -> None:
    s, k = pose.scale, look.eye
    w = 0.158 * k
    up = 0.092 * k * pose.lids * (1 - 0.12 * pose.smile) * (1 - 0.12 * look.wrinkles)
    low = 0.060 * k * (1 - 0.25 * pose.smile)
    droop = 0.018 * look.wrinkles - (0.012 if look.female else 0)

    def at(points: list[tuple[float, float]]) -> Array:
        return pose.on_face([(side * (EYE_X + x), EYE_Y + y) for x, y in points])

    top = [(-w, 0.015), (-w * 0.55, -up * 0.72), (0.0, -up), (w * 0.6, -up * 0.7), (w, droop)]
    bottom = [(w, droop), (w * 0.5, low * 0.85), (0.0, low), (-w * 0.55, low * 0.7), (-w, 0.015)]
    upper, lower = curve(at(top)), curve(at(bottom))
    shape = np.concatenate([upper, lower])
    canvas.fill(shape, (246, 240, 234), clip=clip)
    opening = canvas.mask(shape) * clip
    gaze = pose.yaw * 0.1
    centre = at([(0.0, -0.012)])[0] + np.array([gaze * s, 0], np.float32)
    r = 0.079 * k * s

    def disc(dx: float, dy: float, size: float) -> Array:
        return ellipse(float(centre[0]) + dx, float(centre[1]) + dy, size, size)

    canvas.fill(disc(0, 0, r), mix(look.iris, (10, 8, 8), 0.55), clip=opening)
    canvas.fill(disc(0, 0, r * 0.84), look.iris, clip=opening)
    canvas.fill(
        disc(0, r * 0.4, r * 0.5), mix(look.iris, (255, 230, 190), 0.4), 0.5, blur=r * 0.2, clip=opening
    )
    canvas.fill(disc(0, 0, r * 0.46), (14, 10, 10), clip=opening)
    canvas.stroke(
        [upper + np.array([0, 0.02 * s], np.float32)], (40, 26, 24), 0.035 * s, 0.5, 0.01 * s, clip=opening
    )
    canvas.fill(disc(-r * 0.34, -r * 0.38, r * 0.26), (255, 255, 255), 0.95, clip=opening)
    canvas.fill(disc(r * 0.36, r * 0.34, r * 0.12), (255, 255, 255), 0.6, clip=opening)
    ink = mix(look.shade, (24, 14, 14), 0.8)
    canvas.stroke([upper], ink, s * (0.034 if look.female else 0.022), 0.95, clip=clip)
    canvas.stroke([lower], mix(look.shade, ink, 0.3), 1.2, 0.6, clip=clip)
    crease = curve(at([(x * 1.02, y - 0.045 - 0.012 * look.wrinkles) for x, y in top]))
    canvas.stroke([crease], mix(look.shade, ink, 0.25), 1.4, 0.65, blur=0.5, clip=clip)
    if look.female:
        lashes = [
            at([(x, y), (x + 0.035, y - 0.05)])
            for x, y in ((w * 0.5, -up * 0.72), (w * 0.78, -up * 0.42), (w, droop))
        ]
        canvas.stroke(lashes, ink, 1.4, 0.85, clip=clip)
        lid = np.concatenate([upper, crease[::-1]])
        canvas.fill(
            lid, mix((150, 84, 96), look.skin, 0.5), 0.35 * (1 - 0.5 * look.wrinkles), blur=1.2, clip=clip
        )


def draw_brows(canvas: Canvas, pose: Pose, look: Look, clip: Array, rng: np.random.Generator) -> None:
    """Brows as a soft shape with hairs drawn over it."""
    t, s = look.brow, pose.scale
    arch = 0.055 if look.female else 0.025
    colour = mix(mix(look.hair, (40, 28, 24), 0.45 * (1 - look.grey)), look.shade, 0.12)
    for side in (-1.0, 1.0):
        spine = [(0.15, -0.335), (0.27, -0.375 - arch * 0.6), (0.41, -0.375 - arch), (0.55, -0.305)]
        upper = [(x, y - t * h) for (x, y), h in zip(spine, (0.8, 1.0, 0.8, 0.1), strict=True)]
        lower = [(x, y + t * h) for (x, y), h in zip(spine, (0.9, 0.9, 0.6, 0.1), strict=True)]
        shape = curve(pose.on_face([(side * x, y) for x, y in upper + lower[::-1]]), closed=True)
        canvas.fill(shape, colour, 0.82, blur=0.012 * s, clip=clip)
        hairs = []
        for x in rng.uniform(0.15, 0.52, 16):
            y = float(np.interp(x, [p[0] for p in spine], [p[1] for p in spine]))
            lean = float(np.interp(x, [0.15, 0.55], [0.015, 0.06]))
            start, stop = (side * x, y + t * 0.8), (side * (x + lean), y - t * 0.9)
            hairs.append(pose.on_face([start, stop]))
        canvas.stroke(hairs, mix(colour, (255, 255, 255), 0.35 * look.grey), 1.0, 0.5, clip=clip)


def draw_glasses(canvas: Canvas, pose: Pose, look: Look, fog: float) -> None:
    """Frames over both eyes, with a faint reflection. `fog`, 0..1: a worn mask steams them up."""
    frame = mix((46, 38, 40), look.cloth2, 0.3)
    thick = max(1.5, 0.03 * pose.scale)
    for side in (-1.0, 1.0):
        rim = pose.on_face(ellipse(side * 0.355, -0.085, 0.265, 0.225), bump=0.08)
        canvas.fill(rim, (232, 240, 248), 0.10)
        pane = pose.on_face(ellipse(side * 0.355, -0.06, 0.21, 0.16), bump=0.08)
        canvas.fill(pane, (224, 228, 232), fog, blur=0.035 * pose.scale, clip=canvas.mask(rim))
        canvas.stroke([np.concatenate([rim, rim[:1]])], frame, thick, 0.95)
        glint = pose.on_face([(side * 0.355 - 0.12, -0.02), (side * 0.355 - 0.02, -0.2)], bump=0.08)
        canvas.stroke([glint], (255, 255, 255), 2.0, 0.28, blur=0.8)
        temple = pose.on_face([(side * 0.62, -0.12), (side * look.face_width, -0.1)])
        canvas.stroke([temple], frame, thick, 0.9)
    bridge = curve(pose.on_face([(-0.1, -0.12), (0.0, -0.16), (0.1, -0.12)], bump=0.1))
    canvas.stroke([bridge], frame, thick, 0.95)
