"""Photos and their true mattes: pairing, splitting by person, reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.io.photo import read_matte, read_photo
from pipeline.io.system_files import is_system_path
from pipeline.runtime.errors import Problems, UserError
from pipeline.seeds import unit

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
VALIDATION_SHARE = 0.2  # of the people
Background = tuple[int, int, int]


@dataclass(frozen=True)
class Pair:
    """A photo and its matte. `name`: their common relative path without suffix; `person`: never split."""

    name: str
    person: str
    photo: Path
    matte: Path


def find_pairs(photos: Path, mattes: Path) -> list[Pair]:
    """Pairs each matte (`.png` below `mattes`) with the photo of the same path (`.jpg`, `.jpeg`, `.png`).

    The person is the photo's folder; where all photos lie in one folder, each is its own person.
    Photos without a matte are left out.

    Raises:
        UserError: a folder is missing or holds nothing.
        Problems: mattes without a photo, or with two.
    """
    by_name = photos_by_name(photos)
    paths = sorted(
        p for p in _folder(mattes).rglob("*.png") if p.is_file() and not is_system_path(p.relative_to(mattes))
    )
    if not paths:
        raise UserError("there are no mattes", where=mattes, allowed="<name of the photo>.png, in its folder")
    names = [p.relative_to(mattes).with_suffix("").as_posix() for p in paths]
    problems = [
        f"{name}.png: {len(by_name.get(name, ()))} photos of that name below {photos}"
        for name in names
        if len(by_name.get(name, ())) != 1
    ]
    if problems:
        raise Problems("each matte needs one photo of the same name", problems)
    person = people_of(names)
    return [
        Pair(name, person[name], by_name[name][0], matte) for name, matte in zip(names, paths, strict=True)
    ]


def matching_pairs(photos: Path, mattes: Path) -> list[Pair]:
    """As `find_pairs`, but mattes of other photos, and a folder without any, do not matter.

    Raises:
        UserError: a folder is missing.
    """
    by_name = photos_by_name(photos)
    paths = {p.relative_to(mattes).with_suffix("").as_posix(): p for p in _folder(mattes).rglob("*.png")}
    names = sorted(name for name in paths if len(by_name.get(name, ())) == 1)
    person = people_of(names)
    return [Pair(name, person[name], by_name[name][0], paths[name]) for name in names]


def choose_pairs(pairs: list[Pair], max_photos: int | None, seed: int) -> list[Pair]:
    """At most `max_photos` of the pairs, chosen by their names."""
    chosen = sorted(pairs, key=lambda p: (unit(seed, "taught", p.name), p.name))[:max_photos]
    return sorted(chosen, key=lambda p: p.name)


def people_of(names: Sequence[str]) -> dict[str, str]:
    """Name of a photo → its person: its folder or, where all lie in one folder, the photo itself."""
    folders = {name: Path(name).parent.as_posix() for name in names}
    return folders if len(set(folders.values())) > 1 else {name: name for name in names}


def photos_by_name(photos: Path) -> dict[str, list[Path]]:
    """Relative path without suffix → the photos (`.jpg`, `.jpeg`, `.png`) below `photos` that have it.

    Raises:
        UserError: the folder is missing.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(_folder(photos).rglob("*")):
        is_photo = path.suffix.lower() in PHOTO_SUFFIXES and not is_system_path(path.relative_to(photos))
        if is_photo and path.is_file():
            found[path.relative_to(photos).with_suffix("").as_posix()].append(path)
    return dict(found)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise UserError("a folder to fit the segmenter on is missing", where=path, fix="check fit_segmenter")
    return path


def split_people(
    pairs: Sequence[Pair], seed: int, first: Collection[str] = ()
) -> tuple[list[Pair], list[Pair]]:
    """Training pairs and validation pairs; no person is in both.

    Args:
        pairs: of all people.
        seed: which people validate.
        first: people who validate before others do.

    Raises:
        UserError: there is only one person.
    """
    people = sorted({p.person for p in pairs}, key=lambda p: (p not in first, unit(seed, "unseen", p), p))
    if len(people) < 2:
        raise UserError(
            "one person cannot be split into training and validation",
            got=people,
            allowed="two or more people",
        )
    unseen = set(people[: max(1, round(VALIDATION_SHARE * len(people)))])
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
