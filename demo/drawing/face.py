"""The head without its features: neck, ears, the shaded skin of the face."""

from __future__ import annotations

import cv2
import numpy as np

from demo.drawing.canvas import Array, Canvas, Colour, curve, ellipse, mirrored, mix
from demo.drawing.look import Look
from demo.drawing.pose import Pose


def outline(look: Look) -> Array:
    """The face's outline in face units, float32 (n, 2): skull, cheeks, jaw, chin."""
    w, jaw = look.face_width, look.jaw
    cheek = w * (0.96 + 0.03 * look.youth)
    chin = 0.97 + 0.03 * (0 if look.female else 1) - 0.05 * look.youth
    right = [
        (0.0, -1.22),
        (0.36, -1.16),
        (0.64, -0.90),
        (w, -0.45),
        (w * 1.01, -0.08),
        (cheek, 0.25),
        (jaw + 0.05 * look.youth, 0.58 + 0.03 * look.wrinkles),
        (jaw * (0.52 if look.female else 0.62), 0.86),
        (0.13 if look.female else 0.2, chin - 0.01),
        (0.0, chin),
    ]
    return curve(mirrored(right), closed=True)


def light_of(look: Look) -> Colour:
    """The skin's colour in full light."""
    return mix(look.skin, (255, 246, 232), 0.42)


def draw_neck(canvas: Canvas, pose: Pose, look: Look) -> None:
    """The neck, with the chin's shadow on it."""
    w = 0.40 if look.female else 0.52
    shape = curve([(-w, 0.35), (-w, 1.0), (-w - 0.05, 1.4), (0, 1.7), (w + 0.05, 1.4), (w, 1.0), (w, 0.35)])
    canvas.fill(pose.flat(shape, 0.6), mix(look.skin, look.shade, 0.18), body=True)
    clip = canvas.mask(pose.flat(shape, 0.6))
    shadow = ellipse(0.06 * -pose.light, 0.82, 0.62, 0.42)
    canvas.fill(pose.flat(shadow), look.shade, 0.75, blur=pose.scale * 0.11, clip=clip)
    side = np.sign(pose.light) * -1
    edge = [(side * w, 0.6), (side * w * 1.2, 1.5), (side * w * 0.5, 1.5), (side * w * 0.6, 0.6)]
    canvas.fill(pose.flat(edge, 0.6), look.shade, 0.5, blur=pose.scale * 0.08, clip=clip)
    if look.wrinkles > 0.5:
        rings = [curve([(-w * 0.7, y), (0, y + 0.07), (w * 0.7, y)]) for y in (1.14, 1.27)]
        for ring in rings:
            canvas.stroke([pose.flat(ring, 0.6)], look.shade, 1.2, 0.5 * look.wrinkles, blur=0.8, clip=clip)


def draw_ears(canvas: Canvas, pose: Pose, look: Look) -> None:
    """Both ears; the one that the head turns towards is hidden more."""
    for side in (-1, 1):
        x = side * (look.face_width + 0.05) - pose.yaw * 0.25
        ear = pose.flat(ellipse(x, 0.03, 0.11, 0.22, tilt=side * 0.14))
        canvas.fill(ear, mix(look.skin, look.shade, 0.15), body=True)
        inner = pose.flat(ellipse(x, 0.03, 0.06, 0.14, tilt=side * 0.14))
        canvas.fill(inner, look.shade, 0.55, blur=pose.scale * 0.02)
        if look.earrings:
            drop = pose.flat(ellipse(x + side * 0.01, 0.29, 0.035, 0.045))
            canvas.fill(drop, (234, 196, 96), body=True)
            canvas.fill(pose.flat(ellipse(x, 0.28, 0.014, 0.014)), (255, 244, 210))


def draw_face(canvas: Canvas, pose: Pose, look: Look) -> Array:
    """The skin with its light and shadow. Returns the face's coverage, float32 (H, W)."""
    shape = pose.flat(outline(look))
    canvas.fill(shape, look.skin, body=True)
    clip = canvas.mask(shape)
    s, lit, dark = pose.scale, light_of(look), look.shade

    def soft(x: float, y: float, rx: float, ry: float, colour: Colour, opacity: float, blur: float) -> None:
        canvas.fill(pose.on_face(ellipse(x, y, rx, ry)), colour, opacity, blur=blur * s, clip=clip)

    away = float(-np.sign(pose.light))
    strength = abs(pose.light)
    rim = outline(look)
    inner = rim * np.array([0.86, 0.93], np.float32) - np.array([away * 0.15 * strength, 0.02], np.float32)
    ring = clip * (1 - canvas.mask(pose.flat(inner)))
    canvas.fill(shape, dark, 0.50, blur=0.10 * s, clip=_blurred(ring, 0.09 * s) * clip)
    soft(-away * 0.30, 0.16, 0.24, 0.22, lit, 0.30 + 0.25 * strength, 0.13)
    soft(away * 0.32, 0.18, 0.20, 0.18, lit, 0.20, 0.12)
    soft(-away * 0.12, -0.66, 0.40, 0.20, lit, 0.45, 0.16)
    soft(0.0, 0.86, 0.14, 0.08, lit, 0.35, 0.07)
    for side in (-1, 1):
        soft(side * 0.34, -0.15, 0.25, 0.15, dark, 0.40, 0.075)
        blush = mix((224, 92, 84), look.skin, 0.25)
        soft(side * 0.44, 0.28, 0.17, 0.12, blush, 0.16 + 0.24 * look.youth + 0.08 * look.female, 0.09)
        hollow = 0.10 + 0.18 * (not look.female) + 0.14 * look.wrinkles - 0.1 * look.youth
        soft(side * 0.58, 0.46, 0.10, 0.22, dark, max(0.0, hollow), 0.09)
    soft(0.0, 0.735, 0.17, 0.035, dark, 0.55, 0.035)
    return clip


def _blurred(mask: Array, sigma: float) -> Array:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.float32)
