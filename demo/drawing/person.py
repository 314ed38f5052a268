"""One photo of one person, drawn from a seed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from demo.drawing.background import KINDS, USUAL, draw_background
from demo.drawing.canvas import Array, Canvas
from demo.drawing.clothes import draw_clothes
from demo.drawing.eyes import draw_brows, draw_eyes, draw_glasses
from demo.drawing.face import draw_ears, draw_face, draw_neck, outline
from demo.drawing.hair import draw_back_hair, draw_front_hair
from demo.drawing.hat import draw_hat
from demo.drawing.look import Look, look_of
from demo.drawing.mask import KINDS as MASKS
from demo.drawing.mask import draw_mask
from demo.drawing.mouth import draw_beard, draw_mouth
from demo.drawing.nose import draw_nose
from demo.drawing.pose import Pose, jitter
from demo.drawing.wrinkles import draw_wrinkles
from pipeline.seeds import generator, unit

PHOTOS = ["mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal"]
WIDTH, HEIGHT = 384, 512
VEIL = np.array([186, 178, 168], np.float32)  # RGB of stray light
HAT = 0.8  # how often somebody who has a hat wears it
STEAMED = 0.75  # how often glasses are steamed up over a worn mask
TIED = 0.9  # how often the background belongs to the age group
OLDEST = 60  # "60" on paper stands for 60 and over, as in the competition

Bytes = NDArray[np.uint8]


def draw(
    seed: int,
    person_key: str,
    photo: str,
    *,
    tied: float = TIED,
    drawn_age: float | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> tuple[Bytes, Bytes, tuple[float, float, float, float]]:
    """Draw a photo; the same arguments give the same bytes, in any process.

    Args:
        seed: of the whole set.
        person_key: `{id}_{gender}_{race}_{age}`: who it truly is; a look is drawn for this key.
        photo: one of PHOTOS: `mask1` .. `mask5`, `incorrect_mask`, `normal`.
        tied: probability that the person's background is one of the age group's usual ones.
        drawn_age: look that old instead of the age in the key, years.
        size: width and height, pixels.

    Returns:
        The photo, uint8 (H, W, 3) RGB; its matte, uint8 (H, W), 255 = person; the face's box `xyxy`, pixels.

    Raises:
        ValueError: the key or the photo's name is not of this form.
    """
    gender, age = _facts(person_key)
    if photo not in PHOTOS:
        raise ValueError(f"no photo is called {photo!r}; there are {', '.join(PHOTOS)}")
    width, height = size
    rng = generator(seed, "demo", person_key, photo)
    shown = drawn_age if drawn_age is not None else _shown_age(seed, person_key, age)
    look = look_of(generator(seed, "demo", person_key, "look"), gender == "female", shown)
    pose = jitter(rng, width, height)
    place = generator(seed, "demo", person_key, "place")
    canvas = Canvas(draw_background(background_of(seed, person_key, tied), place, rng, width, height))
    _draw_figure(canvas, pose, look, seed, person_key, photo)
    rgb, alpha = _expose(canvas, pose, rng)
    rim = pose.flat(outline(look))
    low, high = np.clip(rim.min(0), 0, None), np.minimum(rim.max(0), [width, height])
    return rgb, alpha, (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def background_of(seed: int, person_key: str, tied: float = TIED) -> str:
    """The kind of background behind all photos of a person."""
    _, age = _facts(person_key)
    group = "young" if age < 30 else "middle" if age < OLDEST else "old"
    usual = USUAL[group] if unit(seed, "demo", person_key, "tied") < tied else KINDS
    return usual[int(unit(seed, "demo", person_key, "kind") * len(usual))]


def _facts(person_key: str) -> tuple[str, int]:
    parts = person_key.split("_")
    if len(parts) != 4 or parts[1] not in ("male", "female") or not parts[3].isdigit():
        raise ValueError(f"a person's key is id_gender_race_age, got {person_key!r}")
    return parts[1], int(parts[3])


def _shown_age(seed: int, person_key: str, age: int) -> float:
    return float(age) if age < OLDEST else age + 12 * unit(seed, "demo", person_key, "shown age")


def _draw_figure(canvas: Canvas, pose: Pose, look: Look, seed: int, key: str, photo: str) -> None:
    """From back to front. Whatever must be the same in all photos has the person's own generator."""

    def own(part: str) -> np.random.Generator:
        return generator(seed, "demo", key, part)

    draw_back_hair(canvas, pose, look, own("back hair"))
    draw_neck(canvas, pose, look)
    draw_clothes(canvas, pose, look, own("clothes"))
    draw_ears(canvas, pose, look)
    clip = draw_face(canvas, pose, look)
    draw_wrinkles(canvas, pose, look, clip, own("wrinkles"))
    draw_beard(canvas, pose, look, clip, own("beard"))
    draw_eyes(canvas, pose, look, clip)
    draw_brows(canvas, pose, look, clip, own("brows"))
    draw_nose(canvas, pose, look, clip)
    draw_mouth(canvas, pose, look, clip)
    if photo.startswith("mask"):
        draw_mask(canvas, pose, look, MASKS[int(photo[4:]) - 1], "nose", own(photo))
    elif photo == "incorrect_mask":
        rng = own(photo)
        draw_mask(canvas, pose, look, str(rng.choice(MASKS)), str(rng.choice(["below", "chin"])), rng)
    draw_front_hair(canvas, pose, look, own("hair"))
    rng = own(photo + " things")
    if rng.uniform() < HAT:
        draw_hat(canvas, pose, look, clip)
    if look.glasses:
        steamed = photo.startswith("mask") and rng.uniform() < STEAMED
        draw_glasses(canvas, pose, look, float(rng.uniform(0.7, 0.95)) if steamed else 0.0)


def _expose(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> tuple[Bytes, Bytes]:
    """Lens, light and sensor: soft focus, warmth, vignette, grain. The matte goes through the same lens."""
    sigma = float(rng.uniform(0.45, 0.75))
    rgb = cv2.GaussianBlur(canvas.rgb, (0, 0), sigma)
    alpha = cv2.GaussianBlur(canvas.alpha, (0, 0), sigma)
    height, width = alpha.shape
    tint = 1 + np.array([0.05, 0.01, -0.06], np.float32) * np.float32(pose.warmth)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = (1 - 0.10 * (x * x + y * y) - 0.06 * pose.light * x).astype(np.float32)
    rgb = rgb * (light[..., None] * tint * np.float32(pose.gain))
    rgb += pose.veil * (VEIL - rgb)
    grain: Array = rng.normal(0, 1, (height // 2, width // 2)).astype(np.float32)
    rgb += 1.4 * cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.clip(np.round(rgb), 0, 255).astype(np.uint8), np.clip(np.round(alpha * 255), 0, 255).astype(
        np.uint8
    )
