"""Hats: a cap, a beanie or a brimmed hat, and the shadow that they throw on the eyes."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Array, Canvas, curve, ellipse, mix
from demo.drawing.look import Look
from demo.drawing.pose import Pose

KINDS = ["cap", "beanie", "brim"]


def draw_hat(canvas: Canvas, pose: Pose, look: Look, face: Array) -> None:
    """Paint the hat of `look.hat` over the hair; nothing for `none`. `face`: coverage, float32 (H, W)."""
    if look.hat == "none":
        return
    s, cloth = pose.scale, look.cloth2
    dark, lit = mix(cloth, (16, 14, 26), 0.5), mix(cloth, (255, 246, 230), 0.35)
    edge = {"cap": -0.40, "beanie": -0.44, "brim": -0.46}[look.hat]
    band = [(-0.85, -0.9), (0.85, -0.9), (0.85, edge + 0.30), (-0.85, edge + 0.30)]
    depth = {"cap": 0.55, "beanie": 0.15, "brim": 0.45}[look.hat]
    canvas.fill(pose.flat(band), look.shade, depth, blur=0.07 * s, clip=face)
    w = look.face_width + 0.13
    top = -1.56 if look.hat == "beanie" else -1.50
    half = [(0.0, top), (0.42, top + 0.10), (w * 0.86, -1.08), (w, -0.70), (w * 0.99, edge - 0.02)]
    dome = pose.flat(curve([*half, (0.0, edge + 0.09), *[(-x, y) for x, y in half[:0:-1]]], closed=True))
    canvas.fill(dome, cloth, body=True)
    clip = canvas.mask(dome)
    side = float(np.sign(pose.light))
    away = pose.flat(ellipse(-side * w, -0.85, 0.35, 0.6))
    canvas.fill(away, dark, 0.6, blur=0.13 * s, clip=clip)
    canvas.fill(pose.flat(ellipse(side * 0.35, -1.2, 0.25, 0.16)), lit, 0.6, blur=0.1 * s, clip=clip)
    {"cap": _cap, "beanie": _beanie, "brim": _brim}[look.hat](canvas, pose, look, clip, edge, w)


def _cap(canvas: Canvas, pose: Pose, look: Look, clip: Array, edge: float, w: float) -> None:
    s, cloth = pose.scale, look.cloth2
    dark = mix(cloth, (16, 14, 26), 0.45)
    turn = pose.yaw * 0.9
    seams = [
        curve([(turn, -1.5), (x + turn * 0.6, -1.1), (x * 1.5 + turn, edge)]) for x in (-0.36, 0.0, 0.36)
    ]
    canvas.stroke([pose.flat(seam) for seam in seams], dark, 1.4, 0.55, blur=0.5, clip=clip)
    upper = [
        (-w * 0.86, edge - 0.10),
        (-0.4, edge - 0.25),
        (0.0, edge - 0.29),
        (0.4, edge - 0.25),
        (w * 0.86, edge - 0.10),
    ]
    lower = [
        (w * 0.80, edge + 0.06),
        (0.4, edge + 0.13),
        (0.0, edge + 0.15),
        (-0.4, edge + 0.13),
        (-w * 0.80, edge + 0.06),
    ]
    visor = pose.flat(curve([(x + turn * 0.7, y) for x, y in upper + lower], closed=True))
    canvas.fill(visor, mix(cloth, dark, 0.45), body=True)
    shine = curve([(-0.5 + turn, edge - 0.08), (turn, edge - 0.15), (0.5 + turn, edge - 0.08)])
    canvas.stroke([pose.flat(shine)], mix(cloth, (255, 255, 255), 0.4), 0.06 * s, 0.5, blur=0.03 * s)
    canvas.fill(pose.flat(ellipse(turn, -1.5, 0.06, 0.03)), dark)


def _beanie(canvas: Canvas, pose: Pose, look: Look, clip: Array, edge: float, w: float) -> None:
    s, cloth = pose.scale, look.cloth2
    dark = mix(cloth, (16, 14, 26), 0.4)
    ribs = [
        curve([(x * 0.5, -1.5), (x * 0.95, -1.1), (x * 1.02, edge - 0.2)]) for x in np.linspace(-0.8, 0.8, 13)
    ]
    canvas.stroke([pose.flat(rib) for rib in ribs], dark, 1.5, 0.45, blur=0.6, clip=clip)
    up = [
        (-w * 1.02, edge - 0.30),
        (-0.5, edge - 0.24),
        (0.0, edge - 0.21),
        (0.5, edge - 0.24),
        (w * 1.02, edge - 0.30),
    ]
    fold = pose.flat(curve([*up, *[(x * 1.01, y + 0.32) for x, y in up[::-1]]], closed=True))
    canvas.fill(fold, mix(cloth, (255, 246, 230), 0.12), body=True)
    area = canvas.mask(fold)
    ribs = [pose.flat([(x, edge - 0.32), (x * 1.01, edge + 0.14)]) for x in np.linspace(-w, w, 26)]
    canvas.stroke(ribs, dark, 1.6, 0.45, blur=0.6, clip=area)
    canvas.stroke([pose.flat(curve([(x, y + 0.01) for x, y in up]))], dark, 0.035 * s, 0.6, blur=0.012 * s)


def _brim(canvas: Canvas, pose: Pose, look: Look, clip: Array, edge: float, w: float) -> None:
    s, cloth = pose.scale, look.cloth2
    dark = mix(cloth, (16, 14, 26), 0.5)
    ribbon = curve([(-w, edge - 0.17), (0.0, edge - 0.08), (w, edge - 0.17)])
    canvas.stroke([pose.flat(ribbon)], mix(look.cloth, (20, 16, 20), 0.3), 0.19 * s, 0.95, clip=clip)
    brim = pose.flat(ellipse(pose.yaw * 0.5, edge + 0.02, w + 0.42, 0.145, n=40))
    canvas.fill(brim, mix(cloth, dark, 0.25), body=True)
    rim = curve([(-w - 0.3, edge), (0.0, edge - 0.09), (w + 0.3, edge)])
    canvas.stroke([pose.flat(rim)], mix(cloth, (255, 246, 230), 0.45), 0.04 * s, 0.6, blur=0.02 * s)
