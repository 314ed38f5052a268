"""Hair: what hangs behind the head, the cap on it, locks in front, strands and wisps."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Canvas, curve, ellipse, mix
from demo.drawing.look import Look
from demo.drawing.pose import Pose
from demo.drawing.strands import draw_strands, draw_wisps, tones_of

LONG = {"long", "wavy", "fringe", "curls_long", "bob", "shaggy"}
VOLUME = {
    "crop": 0.05,
    "side": 0.10,
    "quiff": 0.14,
    "curls": 0.16,
    "receding": 0.04,
    "bald": 0.0,
    "shaggy": 0.13,
    "long": 0.10,
    "wavy": 0.14,
    "bob": 0.13,
    "bun": 0.06,
    "fringe": 0.12,
    "curls_long": 0.20,
    "pixie": 0.11,
}


def draw_back_hair(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """What is seen behind neck and ears: long hair to the shoulders, or a bun."""
    dark, base, _ = tones_of(look)
    v, w = VOLUME[look.style], look.face_width
    if look.style == "bun":
        knot = curve(
            ellipse(0.08, -1.38, 0.33, 0.27, n=10) + rng.normal(0, 0.012, (10, 2)).astype(np.float32), True
        )
        canvas.fill(pose.flat(knot), base, body=True)
        swirl = [
            curve([(0.08 - r, -1.38), (0.08, -1.38 - r * 0.8), (0.08 + r, -1.36)]) for r in (0.1, 0.18, 0.26)
        ]
        canvas.stroke([pose.flat(line) for line in swirl], dark, 1.6, 0.6)
        draw_wisps(canvas, pose, look, pose.flat(knot), rng, 14)
    if look.style not in LONG:
        return
    end = {"bob": 0.92, "shaggy": 0.95}.get(look.style, 1.75)
    flare = {"wavy": 0.16, "curls_long": 0.24, "bob": 0.12}.get(look.style, 0.06)
    wave = 0.05 if look.style in ("wavy", "curls_long") else 0.012
    ys = np.linspace(-0.75, end, 12)
    right = [
        (w + v * 0.8 + flare * max(0.0, (y + 0.4) / 1.6) + wave * np.sin(6 * y + 1) + rng.normal(0, 0.012), y)
        for y in ys
    ]
    left = [
        (-w - v * 0.8 - flare * max(0.0, (y + 0.4) / 1.6) + wave * np.sin(6 * y) + rng.normal(0, 0.012), y)
        for y in ys
    ]
    hem = [(x * w, end + 0.06 + rng.normal(0, 0.03)) for x in (0.7, 0.35, 0.0, -0.35, -0.7)]
    over = [(-w * 0.8, -1.0), (0.0, -1.15), (w * 0.8, -1.0)]
    shape = pose.flat(curve([*right, *hem, *left[::-1], *over], True), 0.7)
    canvas.fill(shape, mix(base, dark, 0.55), body=True)
    strands = []
    for t in rng.uniform(-1, 1, 46):
        x0, x1 = t * (w + v * 0.6), t * (w + v * 0.8 + flare)
        mid = (0.5 * (x0 + x1) + wave * np.sin(4 + 3 * t), 0.5 * end - 0.3)
        strands.append(pose.flat(curve([(x0, -0.7), mid, (x1, end)]), 0.7))
    clip = canvas.mask(shape)
    canvas.stroke(strands[::2], base, 1.6, 0.7, clip=clip)
    canvas.stroke(strands[1::2], dark, 1.6, 0.6, clip=clip)
    draw_wisps(canvas, pose, look, shape, rng, 34)


def _hairline(look: Look) -> list[tuple[float, float]]:
    """The lower edge of the cap from the right temple over the forehead to the left one."""
    w, y = look.face_width, look.hairline
    side = 0.10 if look.female or look.style == "shaggy" else -0.12
    ends = [(w + 0.01, side), (w * 0.95, -0.32)], [(-w * 0.95, -0.32), (-w - 0.01, side)]
    fronts = {
        "fringe": [(0.62, -0.50), (0.3, -0.47), (0.0, -0.49), (-0.3, -0.46), (-0.62, -0.50)],
        "shaggy": [(0.64, -0.52), (0.35, -0.55), (0.05, -0.66), (-0.3, -0.54), (-0.64, -0.50)],
        "pixie": [(0.66, -0.60), (0.45, -0.82), (0.1, -0.72), (-0.3, -0.56), (-0.64, -0.48)],
        "side": [(0.62, -0.72), (0.42, y - 0.06), (0.1, y), (-0.35, y + 0.08), (-0.62, -0.62)],
        "receding": [(0.66, -0.72), (0.48, -1.06), (0.0, -0.98), (-0.48, -1.06), (-0.66, -0.72)],
        "long": [(0.68, -0.55), (0.4, y - 0.05), (0.06, y - 0.22), (-0.4, y), (-0.68, -0.52)],
        "wavy": [(0.66, -0.50), (0.45, y - 0.1), (0.22, y - 0.2), (-0.3, y + 0.06), (-0.68, -0.42)],
        "bob": [(0.66, -0.46), (0.5, -0.72), (0.3, y - 0.12), (-0.3, y + 0.12), (-0.68, -0.44)],
    }
    return (
        ends[0]
        + fronts.get(look.style, [(0.64, -0.66), (0.36, y), (0.0, y - 0.03), (-0.36, y), (-0.64, -0.66)])
        + ends[1]
    )


def _crown(look: Look) -> list[tuple[float, float]]:
    """The upper edge of the cap from the right ear over the skull to the left ear."""
    v, w = VOLUME[look.style], look.face_width
    low = 0.16 if look.style in LONG else -0.06
    top = v * (1.7 if look.style == "quiff" else 1.0)
    half = [
        (w + 0.02 + v * 0.7, low),
        (w + 0.03 + v * 0.95, -0.42),
        (w * 0.88 + v * 0.85, -0.86),
        (0.40 + v * 0.5, -1.17 - v * 0.85),
    ]
    right = [(x, y - (top - v) * (y < -1)) for x, y in half]
    return [*right, (0.0, -1.29 - (top + v) / 2), *[(-x, y) for x, y in half[::-1]]]


def draw_front_hair(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    """The cap with its strands and shine, locks beside the face, wisps around."""
    if look.style == "bald":
        _fringe_of_bald(canvas, pose, look, rng)
        return
    dark, base, light = tones_of(look)
    s = pose.scale
    crown, line = curve(_crown(look), steps=10), curve(_hairline(look), steps=10)
    if "curls" in look.style:
        n = len(crown)
        crown = crown * (
            1 + 0.035 * np.abs(np.sin(np.linspace(0, 13 * np.pi, n)))[:, None] + rng.uniform(0, 0.02, (n, 1))
        )
        line = line + np.stack([0 * line[:, 0], 0.035 * np.sin(np.linspace(0, 15 * np.pi, len(line)))], 1)
    front = np.where(line[:, 1:] < -0.2, pose.on_face(line), pose.flat(line)).astype(np.float32)
    top = pose.flat(crown.astype(np.float32))
    shadow = np.concatenate([top, front[::-1] + np.array([0, 0.05 * s], np.float32)])
    canvas.fill(shadow, look.shade, 0.55, blur=0.035 * s)
    cap = np.concatenate([top, front[::-1]])
    canvas.fill(cap, base, body=True)
    clip = canvas.mask(cap)
    draw_strands(canvas, top, front, clip, rng, dark, light, (0.11 if "curls" in look.style else 0.03) * s)
    side = float(np.sign(pose.light))
    glow = curve([(-0.55 * 1, -0.86), (-0.2, -1.1), (0.2, -1.12), (0.55, -0.88)])
    canvas.stroke(
        [pose.flat(glow + np.array([0.12 * side, 0], np.float32))], light, 0.13 * s, 0.5, 0.05 * s, clip=clip
    )
    canvas.fill(top + np.array([-side * 0.55 * s, 0.1 * s], np.float32), dark, 0.22, blur=0.1 * s, clip=clip)
    if look.style in ("long", "wavy", "fringe", "curls_long"):
        _locks(canvas, pose, look, rng)
    draw_wisps(canvas, pose, look, top, rng, 44)


def _locks(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    dark, base, light = tones_of(look)
    v, w = VOLUME[look.style], look.face_width
    wave = 0.05 if look.style != "long" else 0.015
    for side in (-1, 1):
        end = float(rng.uniform(1.55, 2.1))
        ys = np.linspace(-0.35, end, 8)
        outer = [
            (side * (w + v * 0.8 + 0.05 + 0.08 * np.sin(y) + wave * np.sin(6 * y + side)), y) for y in ys
        ]
        inner = [(side * (w - 0.05 + 0.02 * y + wave * np.sin(6 * y + side + 0.6)), y) for y in ys]
        shape = pose.flat(curve([*outer, (side * (w + 0.05), end + 0.15), *inner[::-1]], True), 0.8)
        canvas.fill(shape, base, body=True)
        clip = canvas.mask(shape)
        strands = []
        for t in rng.uniform(0, 1, 14):
            path = [(o[0] + (i[0] - o[0]) * t, o[1]) for o, i in zip(outer, inner, strict=True)]
            strands.append(pose.flat(curve(path), 0.8))
        canvas.stroke(strands[::2], dark, 1.3, 0.5, clip=clip)
        canvas.stroke(strands[1::2], light, 1.2, 0.35, clip=clip)
        draw_wisps(canvas, pose, look, shape, rng, 12)


def _fringe_of_bald(canvas: Canvas, pose: Pose, look: Look, rng: np.random.Generator) -> None:
    dark, base, light = tones_of(look)
    w = look.face_width
    for side in (-1, 1):
        patch = [
            (side * (w + 0.02), 0.02),
            (side * (w + 0.10), -0.25),
            (side * (w + 0.06), -0.58),
            (side * (w - 0.06), -0.74),
            (side * (w - 0.05), -0.45),
            (side * (w - 0.03), -0.2),
        ]
        shape = pose.flat(curve(patch, True))
        canvas.fill(shape, base, body=True)
        hairs = [
            pose.flat([(side * (w - 0.02), y), (side * (w + 0.09), y + 0.06)])
            for y in rng.uniform(-0.68, -0.1, 14)
        ]
        canvas.stroke(hairs[::2], dark, 1.0, 0.5)
        canvas.stroke(hairs[1::2], light, 1.0, 0.5)
        draw_wisps(canvas, pose, look, shape, rng, 10)
    shine = pose.flat(ellipse(-0.18 * np.sign(pose.light) * -1, -0.98, 0.26, 0.1))
    canvas.fill(shine, (255, 250, 240), 0.55, blur=0.06 * pose.scale)
