"""A canvas that paints anti-aliased shapes and keeps the true matte of what was painted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Colour = tuple[float, float, float]  # RGB, 0..255

SUBPIXEL = 4  # fractional bits of the coordinates given to OpenCV: 1/16 of a pixel


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """`a` at t = 0, `b` at t = 1."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


def curve(points: list[tuple[float, float]] | Array, closed: bool = False, steps: int = 8) -> Array:
    """Catmull-Rom spline through `points`: float32 (n, 2), `steps` points for each stretch."""
    p = np.asarray(points, np.float32)
    padded = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = (np.arange(steps, dtype=np.float32) / steps)[None, :, None]
    a, b, c, d = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    spline = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    whole = spline.reshape(-1, 2)
    return (whole if closed else np.concatenate([whole, p[-1:]])).astype(np.float32)


def mirrored(half: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A closed outline from its right half, given from the top (x = 0) to the bottom (x = 0)."""
    return half + [(-x, y) for x, y in half[-2:0:-1]]


def ellipse(cx: float, cy: float, rx: float, ry: float, tilt: float = 0.0, n: int = 28) -> Array:
    """Outline of an ellipse, float32 (n, 2); `tilt` in radians."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    x, y = rx * np.cos(t), ry * np.sin(t)
    c, s = np.cos(tilt), np.sin(tilt)
    return np.stack([cx + x * c - y * s, cy + x * s + y * c], 1).astype(np.float32)


class Canvas:
    """`rgb`: float32 (H, W, 3), 0..255. `alpha`: float32 (H, W), 0..1, how much of a pixel is person."""

    def __init__(self, rgb: Array) -> None:
        self.rgb = rgb
        self.alpha: Array = np.zeros(rgb.shape[:2], np.float32)

    def fill(
        self,
        points: Array,
        colour: Colour,
        opacity: float = 1.0,
        blur: float = 0.0,
        body: bool = False,
        clip: Array | None = None,
    ) -> None:
        """Paint the polygon `points` (pixels, (n, 2)).

        `body` extends the person by it; without it the paint stays on the person already there.
        `blur` is the sigma, in pixels, of its soft edge; `clip` a mask of the canvas that limits it.
        """
        self._paint([points], colour, opacity, blur, body, clip, 0.0)

    def stroke(
        self,
        lines: list[Array],
        colour: Colour,
        width: float,
        opacity: float = 1.0,
        blur: float = 0.0,
        body: bool = False,
        clip: Array | None = None,
    ) -> None:
        """Paint open lines, `width` pixels wide; the rest as in `fill`."""
        if lines:
            self._paint(lines, colour, opacity * min(1.0, width), blur, body, clip, max(width, 1.0))

    def mask(self, points: Array) -> Array:
        """Coverage of the canvas by a polygon: float32 (H, W), 0..1."""
        whole = np.zeros(self.alpha.shape, np.uint8)
        fixed = np.round(points * (1 << SUBPIXEL)).astype(np.int32)
        cv2.fillPoly(whole, [fixed], 255, cv2.LINE_AA, SUBPIXEL)
        return whole.astype(np.float32) / np.float32(255)

    def _paint(
        self,
        shapes: list[Array],
        colour: Colour,
        opacity: float,
        blur: float,
        body: bool,
        clip: Array | None,
        width: float,
    ) -> None:
        pad = int(3 * blur + width + 2)
        every = np.concatenate(shapes)
        height, wide = self.alpha.shape
        x0, y0 = (max(0, int(v) - pad) for v in every.min(0))
        x1, y1 = int(min(wide, every[:, 0].max() + pad)), int(min(height, every[:, 1].max() + pad))
        if x1 <= x0 or y1 <= y0:
            return
        patch = np.zeros((y1 - y0, x1 - x0), np.uint8)
        origin = np.array([x0, y0], np.float32)
        fixed = [np.round((s - origin) * (1 << SUBPIXEL)).astype(np.int32) for s in shapes]
        if width:
            cv2.polylines(patch, fixed, False, 255, max(1, round(width)), cv2.LINE_AA, SUBPIXEL)
        else:
            cv2.fillPoly(patch, fixed, 255, cv2.LINE_AA, SUBPIXEL)
        cover = patch.astype(np.float32) * np.float32(opacity / 255)
        if blur > 0:
            cover = cv2.GaussianBlur(cover, (0, 0), blur).astype(np.float32)
        here = np.s_[y0:y1, x0:x1]
        if clip is not None:
            cover = cover * clip[here]
        if body:
            self.alpha[here] = 1 - (1 - self.alpha[here]) * (1 - cover)
        else:
            cover = cover * self.alpha[here]
        self.rgb[here] += cover[..., None] * (np.array(colour, np.float32) - self.rgb[here])
