"""Photos and their true mattes: found by name, set apart by person, read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.io.photo import read_matte, read_photo
from pipeline.io.system_files import is_system_path
from pipeline.runtime.errors import Problems, UserError
from pipeline.seeds import unit

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
VALIDATION = 0.2  # share of the people set aside
Background = tuple[int, int, int]


@dataclass(frozen=True)
class Pair:
    """A photo and its matte. `name`: their common relative path without suffix; `person`: never split."""

    name: str
    person: str
    photo: Path
    matte: Path


def find_pairs(photos: Path, mattes: Path) -> list[Pair]:
    """Every matte (`.png` below `mattes`) with the photo of the same relative path (`.jpg`, `.jpeg`, `.png`).

    The person is the photo's folder; where all photos lie in one folder, each is a person of its own.
    Photos without a matte are left out.

    Raises:
        UserError: a folder is missing or holds nothing.
        Problems: mattes without a photo, or with two.
    """
    named = _photos_by_name(photos)
    found = sorted(
        p for p in _folder(mattes).rglob("*.png") if p.is_file() and not is_system_path(p.relative_to(mattes))
    )
    if not found:
        raise UserError("there are no mattes", where=mattes, allowed="<name of the photo>.png, in its folder")
    names = [p.relative_to(mattes).with_suffix("").as_posix() for p in found]
    problems = [
        f"{name}.png: {len(named.get(name, ()))} photos of that name below {photos}"
        for name in names
        if len(named.get(name, ())) != 1
    ]
    if problems:
        raise Problems("each matte needs one photo of the same name", problems)
    folders = {Path(name).parent.as_posix() for name in names}
    return [
        Pair(name, name if len(folders) == 1 else Path(name).parent.as_posix(), named[name][0], matte)
        for name, matte in zip(names, found, strict=True)
    ]


def _photos_by_name(photos: Path) -> dict[str, list[Path]]:
    named: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(_folder(photos).rglob("*")):
        own = path.suffix.lower() in PHOTO_SUFFIXES and not is_system_path(path.relative_to(photos))
        if own and path.is_file():
            named[path.relative_to(photos).with_suffix("").as_posix()].append(path)
    return dict(named)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise UserError("a folder to fit the segmenter on is missing", where=path, fix="check fit_segmenter")
    return path


def split_people(pairs: Sequence[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train on and pairs to validate on; nobody is on both sides.

    Raises:
        UserError: there is only one person.
    """
    people = sorted({p.person for p in pairs}, key=lambda person: (unit(seed, "unseen", person), person))
    if len(people) < 2:
        raise UserError(
            "one person cannot be both learnt and not seen", got=people, allowed="two or more people"
        )
    unseen = set(people[: max(1, round(VALIDATION * len(people)))])
    return [p for p in pairs if p.person not in unseen], [p for p in pairs if p.person in unseen]


def read_pair(pair: Pair, background: Background) -> tuple[np.ndarray, np.ndarray]:
    """Photo, uint8 [H, W, 3] RGB upright, and alpha, uint8 [H, W].

    Raises:
        UserError: one cannot be read, or they differ in size.
    """
    photo, alpha = read_photo(pair.photo, background), read_matte(pair.matte)
    if photo.shape[:2] != alpha.shape:
        raise UserError(
            "a matte has another size than its photo",
            where=pair.matte,
            got=f"{alpha.shape[1]}x{alpha.shape[0]}",
            allowed=f"{photo.shape[1]}x{photo.shape[0]}, as {pair.photo} has it upright",
        )
    return photo, alpha
