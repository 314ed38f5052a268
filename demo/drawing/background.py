"""Places to stand in front of: six kinds of procedural, out-of-focus backgrounds."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from demo.drawing.canvas import Array, Colour, mix

KINDS = ["bokeh", "street", "bookshelf", "wall", "foliage", "room"]
USUAL = {"young": ["bokeh", "street"], "middle": ["bookshelf", "wall"], "old": ["foliage", "room"]}
Rng = np.random.Generator


def draw_background(kind: str, place: Rng, photo: Rng, width: int, height: int) -> Array:
    """A background, float32 (height, width, 3), RGB 0..255.

    Args:
        kind: one of KINDS.
        place: seeded by the person, whose photos show one place.
        photo: seeded by the photo: where the camera looks and how far it is out of focus.
        width: pixels.
        height: pixels.
    """
    wide, tall = int(width * 1.16), int(height * 1.10)
    picture = PAINTERS[kind](place, wide, tall)
    x, y = int(photo.integers(0, wide - width + 1)), int(photo.integers(0, tall - height + 1))
    sigma = float(photo.uniform(1.6, 3.4))
    crop = np.ascontiguousarray(picture[y : y + height, x : x + width])
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.float32)


def _ramp(top: Colour, bottom: Colour, width: int, height: int, across: float = 0.0) -> Array:
    """A gradient from `top` to `bottom`, tilted by `across` (-1..1)."""
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    t = np.clip(y + across * x, 0, 1)[..., None]
    return (np.array(top, np.float32) * (1 - t) + np.array(bottom, np.float32) * t).astype(np.float32)


def _box(picture: Array, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
    cv2.rectangle(picture, (round(x0), round(y0)), (round(x1), round(y1)), colour, -1)


def _pick(rng: Rng, colours: list[Colour]) -> Colour:
    return colours[int(rng.integers(len(colours)))]


def _bokeh(rng: Rng, w: int, h: int) -> Array:
    top = _pick(rng, [(24, 26, 58), (44, 24, 56), (18, 42, 58)])
    picture = _ramp(top, mix(top, (140, 70, 60), 0.45), w, h)
    lamps: list[Colour] = [(255, 190, 96), (255, 120, 110), (120, 190, 255), (255, 226, 160), (200, 130, 240)]
    for _ in range(46):
        centre, r = (int(rng.integers(w)), int(rng.integers(int(h * 0.85)))), int(rng.integers(6, 28))
        x0, y0 = max(0, centre[0] - r), max(0, centre[1] - r)
        here = picture[y0 : centre[1] + r + 1, x0 : centre[0] + r + 1]
        disc = np.zeros(here.shape[:2], np.uint8)
        at = (centre[0] - x0, centre[1] - y0)
        cv2.circle(disc, at, r, 170, -1, cv2.LINE_AA)
        cv2.circle(disc, at, r, 255, 2, cv2.LINE_AA)
        cover = disc[..., None].astype(np.float32) / 255 * np.float32(rng.uniform(0.25, 0.75))
        here += cover * (np.array(_pick(rng, lamps), np.float32) - here)
    return picture


def _street(rng: Rng, w: int, h: int) -> Array:
    picture = _ramp((158, 200, 232), (238, 226, 206), w, h)
    x = -20.0
    walls: list[Colour] = [(196, 130, 104), (176, 158, 142), (214, 190, 150), (140, 150, 166), (190, 106, 96)]
    while x < w:
        width, top, colour = rng.uniform(60, 120), rng.uniform(0.05, 0.35) * h, _pick(rng, walls)
        _box(picture, x, top, x + width, h, colour)
        _box(picture, x, top, x + width, top + 7, mix(colour, (40, 40, 50), 0.3))
        for wy in np.arange(top + 20, h * 0.78, 42):
            for wx in np.arange(x + 10, x + width - 18, 28):
                lit = rng.uniform() < 0.3
                _box(picture, wx, wy, wx + 16, wy + 26, (250, 226, 160) if lit else (84, 104, 128))
        x += width
    _box(picture, 0, h * 0.84, w, h, (124, 122, 128))
    _box(picture, 0, h * 0.84, w, h * 0.85, (190, 186, 180))
    for _ in range(3):
        cx, colour = rng.uniform(0, w), _pick(rng, [(200, 60, 54), (60, 96, 160), (230, 230, 228)])
        _box(picture, cx, h * 0.78, cx + 110, h * 0.89, colour)
        _box(picture, cx + 18, h * 0.73, cx + 88, h * 0.79, (70, 84, 100))
    return picture


def _bookshelf(rng: Rng, w: int, h: int) -> Array:
    wood = _pick(rng, [(120, 78, 48), (150, 106, 66), (92, 64, 46)])
    picture = _ramp(mix(wood, (0, 0, 0), 0.45), mix(wood, (0, 0, 0), 0.55), w, h)
    spines: list[Colour] = [
        (166, 62, 54),
        (48, 84, 120),
        (214, 176, 98),
        (62, 108, 84),
        (226, 216, 196),
        (108, 70, 106),
        (58, 58, 66),
    ]
    shelf = int(rng.integers(84, 116))
    for top in range(-30, h, shelf):
        x = 0.0
        while x < w:
            width, tall, colour = rng.uniform(9, 24), rng.uniform(0.62, 0.9) * shelf, _pick(rng, spines)
            if rng.uniform() < 0.93:
                base = top + shelf - 10
                _box(
                    picture,
                    x,
                    base - tall,
                    x + width - 1,
                    base,
                    mix(colour, (30, 24, 20), float(rng.uniform(0, 0.3))),
                )
                _box(
                    picture,
                    x,
                    base - tall * 0.8,
                    x + width - 1,
                    base - tall * 0.72,
                    mix(colour, (255, 236, 190), 0.5),
                )
            x += width
        _box(picture, 0, top + shelf - 10, w, top + shelf, mix(wood, (255, 220, 180), 0.15))
    return picture


def _wall(rng: Rng, w: int, h: int) -> Array:
    top = _pick(rng, [(190, 206, 212), (222, 206, 182), (170, 192, 176), (206, 184, 186), (160, 172, 198)])
    picture = _ramp(
        mix(top, (255, 255, 255), 0.3),
        mix(top, (60, 60, 80), 0.25),
        w,
        h,
        across=float(rng.uniform(-0.8, 0.8)),
    )
    cloud = rng.normal(0, 1, (h // 24 + 2, w // 24 + 2)).astype(np.float32)
    picture += 5 * cv2.resize(cloud, (w, h), interpolation=cv2.INTER_CUBIC)[..., None]
    if rng.uniform() < 0.6:
        x = rng.uniform(0.0, 0.8) * w
        _box(picture, x, 0, x + 3, h, mix(top, (40, 40, 60), 0.4))
        _box(picture, x + 3, 0, x + 6, h, mix(top, (255, 255, 255), 0.4))
    return picture


def _foliage(rng: Rng, w: int, h: int) -> Array:
    picture = _ramp((226, 236, 196), (56, 98, 60), w, h)
    greens: list[Colour] = [(62, 112, 58), (96, 146, 72), (40, 82, 54), (140, 176, 88), (176, 196, 110)]
    for _ in range(260):
        y = float(h * np.sqrt(rng.uniform(0.01, 1)))
        centre = (int(rng.integers(w)), int(y))
        axes = (int(rng.integers(8, 26)), int(rng.integers(5, 13)))
        colour = mix(_pick(rng, greens), (250, 250, 190), float(max(0.0, 0.4 - y / h) * rng.uniform(0, 1)))
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.5), np.float32)
    blossom = _pick(rng, [(240, 196, 204), (250, 240, 214), (232, 128, 104), (196, 160, 224)])
    for _ in range(26):
        cv2.circle(
            picture,
            (int(rng.integers(w)), int(rng.integers(h))),
            int(rng.integers(3, 7)),
            blossom,
            -1,
            cv2.LINE_AA,
        )
    return picture


def _room(rng: Rng, w: int, h: int) -> Array:
    paint = _pick(rng, [(236, 214, 184), (226, 190, 164), (214, 208, 190), (196, 206, 200)])
    picture = _ramp(
        mix(paint, (255, 255, 255), 0.2),
        mix(paint, (90, 60, 40), 0.25),
        w,
        h,
        across=float(rng.uniform(-0.6, 0.6)),
    )
    x = rng.uniform(-0.02, 0.08) * w
    _box(picture, x - 7, h * 0.08, x + w * 0.27, h * 0.52, (250, 246, 238))
    for column in range(2):
        left = x + column * w * 0.13
        picture[int(h * 0.1) : int(h * 0.5), max(0, int(left)) : int(left + w * 0.12)] = (186, 220, 240)
    curtain = _pick(rng, [(190, 96, 84), (120, 140, 120), (206, 166, 96)])
    for k in range(4):
        _box(
            picture,
            x + w * 0.27 + k * 9,
            h * 0.04,
            x + w * 0.27 + k * 9 + 8,
            h * 0.66,
            mix(curtain, (0, 0, 0), 0.12 * (k % 2)),
        )
    fx = rng.uniform(0.62, 0.74) * w
    _box(picture, fx, h * 0.14, fx + w * 0.24, h * 0.34, (120, 84, 54))
    _box(
        picture,
        fx + 6,
        h * 0.14 + 6,
        fx + w * 0.24 - 6,
        h * 0.34 - 6,
        _pick(rng, [(150, 180, 170), (224, 196, 150), (140, 150, 190)]),
    )
    sofa = _pick(rng, [(128, 84, 78), (92, 108, 96), (150, 128, 104)])
    cv2.rectangle(picture, (0, int(h * 0.70)), (w, h), sofa, -1)
    cv2.rectangle(picture, (0, int(h * 0.70)), (w, int(h * 0.72)), mix(sofa, (255, 240, 220), 0.3), -1)
    glow = np.zeros((h, w), np.float32)
    cv2.circle(glow, (int(fx + w * 0.1), int(h * 0.46)), int(w * 0.08), 1.0, -1)
    picture += cv2.GaussianBlur(glow, (0, 0), w * 0.04)[..., None] * np.array([70, 52, 16], np.float32)
    return picture


PAINTERS: dict[str, Callable[[Rng, int, int], Array]] = {
    "bokeh": _bokeh,
    "street": _street,
    "bookshelf": _bookshelf,
    "wall": _wall,
    "foliage": _foliage,
    "room": _room,
}
