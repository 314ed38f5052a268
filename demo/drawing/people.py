"""Who is in the demo and what is planted among them: facts first, nothing is drawn here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from demo.drawing.person import PHOTOS
from pipeline.seeds import generator

RACE = "Drawn"
AGES = {"young": (18, 29), "middle": (32, 54), "old": (60, 60)}
SHARES = {"young": 0.36, "middle": 0.36, "old": 0.28}
WRONG_GENDERS = 0.03  # of the people, and two at least
SWAPPED = 2
DRAWN_OLD = [57, 58, 59]
TO_PREDICT = "eval"
SWAP = {"incorrect_mask": "normal", "normal": "incorrect_mask"}


@dataclass
class Person:
    """A person, as they are (`key`) and as their folder says (`folder`)."""

    number: int
    split: str  # train or eval
    gender: str
    age: int
    said_gender: str = ""
    drawn_age: float | None = None  # where it differs from the age
    swapped: bool = False
    special: dict[str, str] = field(default_factory=dict)  # photo -> how its file is written, see files.py

    @property
    def key(self) -> str:
        """Who it truly is."""
        return f"{self.number:06d}_{self.gender}_{RACE}_{self.age}"

    @property
    def folder(self) -> str:
        """What the folder is called, wrong gender included."""
        return f"{self.number:06d}_{self.said_gender or self.gender}_{RACE}_{self.age}"

    def drawn_photo(self, photo: str) -> str:
        """What is truly in the file that is called `photo`."""
        return SWAP.get(photo, photo) if self.swapped else photo

    def suffix(self, photo: str) -> str:
        """The file's suffix, with its dot."""
        return ".png" if self.special.get(photo) == "png" else ".jpg"

    def path(self, seed: int, photo: str) -> str:
        """Where the file lies below the data folder."""
        if self.split == "train":
            return f"train/images/{self.folder}/{photo}{self.suffix(photo)}"
        return f"eval/images/{image_id(seed, self, photo)}"


def image_id(seed: int, person: Person, photo: str) -> str:
    """The name that hides who is in a photo to predict, as in the competition: 40 hex digits and `.jpg`."""
    return hashlib.sha256(f"{seed}/{person.key}/{photo}".encode()).hexdigest()[:40] + ".jpg"


def mask_of(photo: str) -> str:
    """`worn`, `incorrect` or `none`: what a photo with this content shows."""
    return {"incorrect_mask": "incorrect", "normal": "none"}.get(photo, "worn")


def class_of(gender: str, age: int, photo: str) -> int:
    """The class 0..17 = 6 mask + 3 gender + age group."""
    mask = {"worn": 0, "incorrect": 1, "none": 2}[mask_of(photo)]
    return 6 * mask + 3 * (gender == "female") + (0 if age < 30 else 1 if age < 60 else 2)


def choose_people(seed: int, people: int, eval_people: int) -> list[Person]:
    """The people of both splits, train first, with all that is planted, from `seed` alone.

    Genders alternate within each age group, so that every gender x age group has its share.
    """
    chosen: list[Person] = []
    for split, count in (("train", people), (TO_PREDICT, eval_people)):
        rng = generator(seed, "demo people", split)
        facts = [
            ("male" if i % 2 else "female", int(rng.integers(low, high + 1)))
            for group, (low, high) in AGES.items()
            for i in range(_count(group, count))
        ]
        first = 1 if split == "train" else 900001
        order = rng.permutation(len(facts))
        chosen += [Person(first + n, split, *facts[i]) for n, i in enumerate(order)]
    train = [p for p in chosen if p.split == "train"]
    _plant(train, generator(seed, "demo planted"))
    return chosen


def _count(group: str, people: int) -> int:
    young, old = round(people * SHARES["young"]), round(people * SHARES["old"])
    return {"young": young, "middle": people - young - old, "old": old}[group]


def _plant(train: list[Person], rng: np.random.Generator) -> None:
    """Plants at different people each, so that every error stands alone."""
    middle = [p for p in train if 30 <= p.age < 60]
    for age, i in zip(DRAWN_OLD, rng.permutation(len(middle)), strict=False):
        middle[i].age, middle[i].drawn_age = age, float(rng.uniform(63, 70))
    free = [p for p in train if p.drawn_age is None]
    rest = iter([free[i] for i in rng.permutation(len(free))])
    for _ in range(max(2, round(WRONG_GENDERS * len(train)))):
        person = next(rest)
        person.said_gender = "male" if person.gender == "female" else "female"
    for _ in range(SWAPPED):
        next(rest).swapped = True
    for kind in ("truncated", "text", "rotated", "grayscale", "png"):
        next(rest).special[str(rng.choice(PHOTOS))] = kind
