"""What a person looks like: everything that stays the same over the seven photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.drawing.canvas import Colour, mix

SKINS: list[Colour] = [
    (255, 220, 190),
    (248, 206, 170),
    (242, 190, 148),
    (230, 175, 130),
    (212, 156, 114),
    (190, 130, 90),
    (158, 104, 70),
    (128, 84, 58),
]
HAIRS: list[Colour] = [
    (38, 30, 28),
    (58, 40, 30),
    (84, 54, 34),
    (122, 78, 44),
    (158, 108, 58),
    (196, 152, 92),
]
IRISES: list[Colour] = [(74, 48, 30), (98, 66, 38), (64, 84, 58), (70, 104, 136)]
LIPS_BARE: Colour = (190, 98, 88)
LIPS_PAINTED: list[Colour] = [(196, 52, 64), (206, 84, 96), (176, 60, 84), (214, 96, 84)]
OUTFITS: list[Colour] = [
    (64, 98, 150),
    (178, 70, 66),
    (84, 130, 104),
    (226, 178, 82),
    (118, 92, 148),
    (58, 66, 82),
    (208, 206, 198),
    (70, 142, 158),
    (206, 128, 102),
    (150, 60, 92),
]
MALE_STYLES = ["crop", "side", "quiff", "curls"]
FEMALE_STYLES = ["long", "wavy", "bob", "fringe", "curls_long"]
# Fifty people are few to learn gender from when a mask hides the beard, so the cartoon's clothes help.
FEMALE_OUTFITS = [1, 3, 4, 8, 9]
MALE_OUTFITS = [0, 2, 5, 6, 7]
CLOTHES = ["tee", "shirt", "blazer", "hoodie", "vneck"]


@dataclass(frozen=True)
class Look:
    """Colours are RGB 0..255; lengths are in face units; amounts are 0..1."""

    female: bool
    age: float  # the age that is drawn, years
    wrinkles: float
    grey: float
    youth: float
    skin: Colour
    shade: Colour
    hair: Colour
    style: str
    hairline: float  # y of the hairline
    iris: Colour
    lips: Colour
    brow: float  # thickness
    face_width: float
    jaw: float
    eye: float  # size factor
    nose: float  # width factor
    beard: str  # none, stubble, moustache, full
    glasses: bool
    hat: str  # none, cap, beanie, brim
    earrings: bool
    clothes: str
    cloth: Colour
    cloth2: Colour


def rise(value: float, start: float, end: float) -> float:
    """0 below `start`, 1 above `end`, smooth in between."""
    t = min(1.0, max(0.0, (value - start) / (end - start)))
    return t * t * (3 - 2 * t)


def _style(rng: np.random.Generator, female: bool, age: float) -> str:
    usual = bool(rng.uniform() < 0.92)
    if female:
        old = ["bob", "bun", "curls_long"] if age > 56 else FEMALE_STYLES
        return str(rng.choice(old)) if usual else "pixie"
    if age > 52 and rng.uniform() < 0.45:
        return "bald" if rng.uniform() < 0.45 else "receding"
    return str(rng.choice(MALE_STYLES)) if usual else "shaggy"


def _beard(rng: np.random.Generator, female: bool, age: float) -> str:
    if female:
        return "none"
    odds = [0.3, 0.36, 0.12, 0.22] if age < 30 else [0.22, 0.24, 0.2, 0.34]
    return str(rng.choice(["none", "stubble", "moustache", "full"], p=odds))


def _hats(age: float) -> list[float]:
    """How likely no hat, a cap, a beanie and a brimmed hat are."""
    return [0.78, 0.10, 0.07, 0.05] if age < 45 else [0.78, 0.06, 0.04, 0.12]


def look_of(rng: np.random.Generator, female: bool, age: float) -> Look:
    """Choose a look for a person of `age` years (as drawn, which may be older than the papers say)."""
    wrinkles = float(np.clip(rise(age, 32, 64) ** 1.5 + rng.normal(0, 0.04), 0, 1))
    grey = float(np.clip(rise(age, 44, 63) + rng.normal(0, 0.07), 0, 1)) if age > 33 else 0.0
    youth = 1 - rise(age, 17, 36)
    tone = int(rng.integers(len(SKINS)))
    skin = mix(SKINS[tone], SKINS[min(tone + 1, len(SKINS) - 1)], float(rng.uniform(0, 0.6)))
    skin = mix(skin, (198, 172, 152), 0.14 * wrinkles)
    natural = HAIRS[int(rng.integers(0, len(HAIRS) if tone < 4 else 2))]
    white = mix((168, 168, 170), (226, 224, 220), float(rng.uniform(0, 1)))
    painted = female and bool(rng.uniform() < 0.9)
    lips = LIPS_PAINTED[int(rng.integers(len(LIPS_PAINTED)))] if painted else LIPS_BARE
    style = _style(rng, female, age)
    usual = FEMALE_OUTFITS if female else MALE_OUTFITS
    cloth = int(rng.choice(usual if rng.uniform() < 0.85 else list(range(len(OUTFITS)))))
    return Look(
        female=female,
        age=age,
        wrinkles=wrinkles,
        grey=grey,
        youth=youth,
        skin=skin,
        shade=(skin[0] * 0.70, skin[1] * 0.56, skin[2] * 0.48),
        hair=mix(natural, white, grey),
        style=style,
        hairline=-0.80 - (0.10 if not female else 0.0) * rise(age, 30, 60) + float(rng.uniform(-0.04, 0.04)),
        iris=IRISES[int(rng.integers(0, len(IRISES) if tone < 4 else 2))],
        lips=mix(lips, skin, 0.3 if painted else 0.62 - 0.15 * youth),
        brow=float(rng.uniform(0.034, 0.046) if female else rng.uniform(0.058, 0.08)),
        face_width=float((0.76 if female else 0.80) + 0.035 * youth + rng.uniform(-0.025, 0.03)),
        jaw=float((0.56 if female else 0.66) + 0.03 * wrinkles + rng.uniform(-0.025, 0.025)),
        eye=float((1.1 if female else 0.97) + 0.09 * youth - 0.07 * wrinkles + rng.uniform(-0.03, 0.03)),
        nose=float((0.9 if female else 1.08) - 0.06 * youth + 0.08 * wrinkles + rng.uniform(-0.06, 0.06)),
        beard=_beard(rng, female, age),
        glasses=bool(rng.uniform() < 0.3 + 0.15 * rise(age, 40, 62)),
        hat=str(rng.choice(["none", "cap", "beanie", "brim"], p=_hats(age))),
        earrings=female and bool(rng.uniform() < 0.75),
        clothes=str(rng.choice(["blazer", "shirt", "vneck"] if age > 45 else CLOTHES)),
        cloth=mix(OUTFITS[cloth], (120, 116, 112), 0.3 * rise(age, 35, 65)),
        cloth2=OUTFITS[(cloth + 1 + int(rng.integers(len(OUTFITS) - 1))) % len(OUTFITS)],
    )
