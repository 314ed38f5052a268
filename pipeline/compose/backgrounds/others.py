"""Backgrounds of other people's photos, the person inpainted; a random window, half of them mirrored."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.compose.backgrounds import Candidate, ChooseFn, Sources
from pipeline.compose.crop import Square, resized
from pipeline.compose.inpaint import inpaint, inpaint_mask
from pipeline.io.image_store import matte_name
from pipeline.io.parcel import Source
from pipeline.io.photo import decode_photo
from pipeline.runtime.errors import UserError
from pipeline.seeds import seed_of, splitmix64

WINDOW_TRIES = 8  # windows; the one with the least of the person is taken
MIN_WINDOW = 0.6  # of the photo's shorter side


def chooser(sources: Sources, candidates: Sequence[Candidate]) -> ChooseFn:
    """Donors by fold; see `pipeline.compose.backgrounds`."""
    folds: dict[int, list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: (c.person, c.image)):
        folds.setdefault(candidate.fold, []).append(candidate)
    people = {fold: [c.person for c in rows] for fold, rows in folds.items()}
    keys = {
        fold: np.array([seed_of(0, "donor", c.image) for c in rows], np.uint64)
        for fold, rows in folds.items()
    }

    def choose(person: Candidate, seed: int) -> str:
        rows, names = folds.get(person.fold, []), people.get(person.fold, [])
        first, last = bisect_left(names, person.person), bisect_right(names, person.person)
        if last - first == len(rows):
            raise UserError(
                "a fold (extra people are one) holds one person only, so there is no other background in it",
                where=f"fold {person.fold}, {person.person}",
                fix="take more people, or fewer split.folds, or set synthesize.backgrounds to procedural or "
                "folder",
            )
        # rendezvous hashing (Thaler and Ravishankar, 1998): a new photo takes its share of the copies, and
        # all others keep their donor
        weights = splitmix64(keys[person.fold] ^ np.uint64(seed))
        weights[first:last] = 0
        return rows[int(np.argmax(weights))].image

    return choose


def reads(sources: Sources, donor: str) -> list[Source]:
    """The donor's photo and matte; see `pipeline.compose.backgrounds`."""
    return [sources.photos.source(donor), sources.mattes.source(matte_name(donor))]


def facts(sources: Sources, donor: str) -> list[str]:
    """The donor's photo and matte; see `pipeline.compose.backgrounds`."""
    return [sources.checksums[donor], sources.mattes.digest(donor)]


def picture(sources: Sources, donor: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """A window of the donor's photo without the donor; see `pipeline.compose.backgrounds`."""
    file = sources.photos.file(donor)
    photo = decode_photo(file.read(sources.checksums.get(donor)), sources.background_rgb, str(file))
    alpha = sources.mattes.matte(donor)
    part = window(alpha, rng)
    rows, columns = slice(part.y1, part.y2), slice(part.x1, part.x2)
    plate = resized(photo[rows, columns], size, size, smooth=False)
    # the mask's edge is smooth, so a quarter of the size is enough
    small = cv2.resize(alpha[rows, columns], (-(-size // 4), -(-size // 4)), interpolation=cv2.INTER_LINEAR)
    mask = cv2.resize(inpaint_mask(small), (size, size), interpolation=cv2.INTER_LINEAR)
    plate = inpaint(plate, cv2.threshold(mask, 64, 255, cv2.THRESH_BINARY)[1], rng)
    return cv2.flip(plate, 1) if rng.random() < 0.5 else plate


def window(alpha: np.ndarray, rng: np.random.Generator) -> Square:
    """A random square inside the photo that shows little of the person.

    Args:
        alpha: uint8 [H, W].
        rng: for side and position of each try.

    Returns:
        Of `WINDOW_TRIES` windows the one with the smallest mean alpha.
    """
    height, width = alpha.shape
    # a few thousand pixels locate the person well enough
    sums = cv2.integral(cv2.resize(alpha, (64, 64), interpolation=cv2.INTER_NEAREST))
    best, lowest = Square(0, 0, 1, 1), float("inf")
    for share, x, y in rng.random((WINDOW_TRIES, 3)):
        side = max(1, round(min(width, height) * (MIN_WINDOW + (1 - MIN_WINDOW) * share)))
        left, top = int(x * (width - side + 1)), int(y * (height - side + 1))
        x1, x2 = left * 64 // width, max((left + side) * 64 // width, left * 64 // width + 1)
        y1, y2 = top * 64 // height, max((top + side) * 64 // height, top * 64 // height + 1)
        covered = float(sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]) / ((x2 - x1) * (y2 - y1))
        if covered < lowest:
            best, lowest = Square(left, top, left + side, top + side), covered
    return best
