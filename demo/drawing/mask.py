"""The five face masks, worn over the nose, below it, or under the chin."""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Array, Canvas, Colour, curve, ellipse, mix
from demo.drawing.look import Look
from demo.drawing.pose import Pose

KINDS = ["surgical", "folded", "cloth", "dotted", "valve"]  # mask1 .. mask5
COLOURS: dict[str, Colour] = {
    "surgical": (142, 194, 222),
    "folded": (244, 244, 240),
    "cloth": (46, 48, 58),
    "dotted": (226, 138, 150),
    "valve": (206, 212, 202),
}
WEAR = ["nose", "below", "chin"]


def draw_mask(canvas: Canvas, pose: Pose, look: Look, kind: str, wear: str, rng: np.random.Generator) -> None:
    """Paint a mask of `kind` (of KINDS).

    `wear`: `nose` covers nose and mouth, `below` only the mouth, `chin` neither.
    """
    colour = COLOURS[kind]
    top, bottom = {"nose": (0.0, 1.05), "below": (0.43, 1.10), "chin": (0.74, 1.24)}[wear]
    top += float(rng.uniform(-0.025, 0.025))
    w = look.face_width
    wide = {"nose": w * 0.93, "below": w * 0.86, "chin": w * 0.72}[wear] + float(rng.uniform(-0.02, 0.02))
    shape = _outline(pose, kind, top, bottom, wide, look)
    _straps(canvas, pose, look, kind, top, bottom, wide)
    s = pose.scale
    canvas.fill(shape + np.array([0, 0.04 * s], np.float32), look.shade, 0.6, blur=0.04 * s)
    canvas.fill(shape, colour, body=True)
    clip = canvas.mask(shape)
    _shade(canvas, pose, colour, clip, top, bottom, w)
    detail = {"surgical": _pleats, "folded": _fold, "cloth": _seam, "dotted": _dots, "valve": _valve}[kind]
    detail(canvas, pose, colour, clip, top, bottom, wide)
    canvas.stroke([np.concatenate([shape, shape[:1]])], mix(colour, (40, 50, 70), 0.35), 1.5, 0.6)


def _outline(pose: Pose, kind: str, top: float, bottom: float, wide: float, look: Look) -> Array:
    peak = {"surgical": 0.03, "folded": 0.09, "cloth": 0.07, "dotted": 0.05, "valve": 0.11}[kind]
    span = bottom - top
    jaw = min(wide * 0.95, look.jaw * 0.98)
    half = [
        (0.0, top - peak),
        (0.16, top - peak * 0.8),
        (wide * 0.62, top + 0.09),
        (wide, top + 0.15 * span + 0.03),
    ]
    half += [
        (wide * 0.985, top + 0.4 * span),
        (jaw, top + 0.66 * span),
        (jaw * 0.62, bottom - 0.07),
        (0.0, bottom),
    ]
    if kind in ("folded", "valve"):
        half[-3:] = [(jaw * 0.92, top + 0.66 * span), (jaw * 0.48, bottom - 0.05), (0.0, bottom + 0.02)]
    points = curve(half + [(-x, y) for x, y in half[-2:0:-1]], closed=True)
    lifted = pose.on_face(points, bump=0.10)
    ease = np.clip((np.abs(points[:, :1]) / wide - 0.5) * 2, 0, 1)  # the edges lie on the cheek's outline
    return (lifted * (1 - ease) + pose.flat(points) * ease).astype(np.float32)


def _straps(
    canvas: Canvas, pose: Pose, look: Look, kind: str, top: float, bottom: float, wide: float
) -> None:
    colour = (240, 240, 238) if kind != "cloth" else (52, 54, 64)
    span = bottom - top
    for side in (-1, 1):
        ear = side * (look.face_width + 0.02)
        high = curve([(side * wide * 0.97, top + 0.16 * span), (ear * 0.98, top * 0.5 + 0.0), (ear, -0.08)])
        low = curve([(side * wide * 0.9, top + 0.6 * span), (ear * 1.0, 0.32), (ear * 1.03, 0.12)])
        canvas.stroke(
            [pose.flat(high), pose.flat(low)],
            mix(colour, (60, 60, 70), 0.12),
            max(1.6, 0.028 * pose.scale),
            0.95,
            body=True,
        )


def _shade(
    canvas: Canvas, pose: Pose, colour: Colour, clip: Array, top: float, bottom: float, w: float
) -> None:
    s, away = pose.scale, float(-np.sign(pose.light))
    dark, lit = mix(colour, (24, 30, 52), 0.45), mix(colour, (255, 255, 255), 0.6)
    mid = (top + bottom) / 2
    canvas.fill(pose.on_face(ellipse(away * w * 0.86, mid, 0.3, 0.5)), dark, 0.6, blur=0.13 * s, clip=clip)
    canvas.fill(pose.on_face(ellipse(0, bottom + 0.02, 0.6, 0.14)), dark, 0.6, blur=0.08 * s, clip=clip)
    canvas.fill(
        pose.on_face(ellipse(-away * 0.18, top + 0.3 * (bottom - top), 0.2, 0.14), 0.15),
        lit,
        0.5,
        blur=0.09 * s,
        clip=clip,
    )


def _lines(
    canvas: Canvas, pose: Pose, colour: Colour, clip: Array, rows: list[list[tuple[float, float]]]
) -> None:
    for row in rows:
        line = curve(pose.on_face(row, bump=0.12))
        canvas.stroke([line], mix(colour, (30, 40, 70), 0.4), 1.6, 0.65, blur=0.5, clip=clip)
        canvas.stroke(
            [line + np.array([0, 2.2], np.float32)],
            mix(colour, (255, 255, 255), 0.7),
            1.6,
            0.6,
            blur=0.5,
            clip=clip,
        )


def _pleats(
    canvas: Canvas, pose: Pose, colour: Colour, clip: Array, top: float, bottom: float, wide: float
) -> None:
    span = bottom - top
    rows = [
        [(-wide, top + f * span + 0.02), (0.0, top + f * span + 0.05), (wide, top + f * span + 0.02)]
        for f in (0.3, 0.48, 0.66)
    ]
    rows.append([(-wide * 0.5, top + 0.12), (0.0, top + 0.03), (wide * 0.5, top + 0.12)])
    _lines(canvas, pose, colour, clip, rows)


def _fold(
    canvas: Canvas, pose: Pose, colour: Colour, clip: Array, top: float, bottom: float, wide: float
) -> None:
    a, b = top + 0.34 * (bottom - top), top + 0.74 * (bottom - top)
    _lines(
        canvas,
        pose,
        colour,
        clip,
        [
            [(-wide, a + 0.02), (0, a - 0.04), (wide, a + 0.02)],
            [(-wide, b - 0.14), (0, b + 0.05), (wide, b - 0.14)],
        ],
    )


def _seam(
    canvas: Canvas, pose: Pose, colour: Colour, clip: Array, top: float, bottom: float, wide: float
) -> None:
    _lines(canvas, pose, colour, clip, [[(0.0, top - 0.1), (0.02, (top + bottom) / 2), (0.0, bottom)]])
    hem = [
        (-wide, top + 0.22),
        (-wide * 0.5, top + 0.12),
        (0, top + 0.04),
        (wide * 0.5, top + 0.12),
        (wide, top + 0.22),
    ]
    canvas.stroke(
        [curve(pose.on_face(hem, bump=0.1))], mix(colour, (255, 255, 255), 0.3), 1.2, 0.6, clip=clip
    )


def _dots(
    canvas: Canvas, pose: Pose, colour: Colour, clip: Array, top: float, bottom: float, wide: float
) -> None:
    for row, y in enumerate(np.arange(top - 0.02, bottom, 0.15)):
        for x in np.arange(-wide + 0.075 * (row % 2), wide, 0.16):
            canvas.fill(
                pose.on_face(ellipse(float(x), float(y), 0.033, 0.033, n=12), bump=0.1),
                (252, 240, 232),
                0.9,
                clip=clip,
            )


def _valve(
    canvas: Canvas, pose: Pose, colour: Colour, clip: Array, top: float, bottom: float, wide: float
) -> None:
    _fold(canvas, pose, colour, clip, top, bottom, wide)
    y = top + 0.62 * (bottom - top)
    canvas.fill(pose.on_face(ellipse(0.26, y, 0.15, 0.12), 0.14), (108, 122, 126), clip=clip)
    canvas.fill(pose.on_face(ellipse(0.255, y - 0.01, 0.11, 0.085), 0.14), (162, 176, 178), clip=clip)
    canvas.stroke(
        [pose.on_face([(0.18, y + d), (0.33, y + d)], 0.14) for d in (-0.03, 0.01)],
        (92, 104, 108),
        1.4,
        0.8,
        clip=clip,
    )
    clipline = curve(pose.on_face([(-0.2, top + 0.06), (0, top - 0.03), (0.2, top + 0.06)], 0.12))
    canvas.stroke([clipline], (150, 156, 160), 0.05 * pose.scale, 0.9, clip=clip)
