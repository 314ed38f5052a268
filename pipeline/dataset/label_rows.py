"""Labels as somebody wrote them down: the cells of a table's row, or the values of a picture's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from pipeline.dataset.extra import RESERVED, extra_key, is_extra_key
from pipeline.dataset.listing import Candidate
from pipeline.dataset.safe_files import name_problem
from pipeline.io.formula import formula_problem
from pipeline.io.tar_shards import Place
from pipeline.labels import read_age, read_gender, read_mask
from pipeline.runtime.errors import nearest

LABELS = ("person", "gender", "age", "mask")
SPLITS = ("train", "eval", "extra")

Where = TypeVar("Where")


def read_candidate(
    image: str, cells: Mapping[str, str], default: str, wrong: list[str], place: Place | None = None
) -> Candidate:
    """The photo with its split and labels; appends what is wrong with the cells to `wrong`.

    Args:
        image: its key.
        cells: text of person, gender, age, mask and split; a photo to predict needs none.
        default: the split where the cells name none.
        place: of the photo in a shard.
    """
    split = cells.get("split", "").lower() or default
    if split not in SPLITS:
        close = nearest(split, SPLITS)
        hint = f", did you mean {close!r}?" if close else ""
        wrong.append(f"split is {cells['split']!r}{hint}; allowed: {', '.join(SPLITS)}")
    if split == "eval":
        return Candidate(image, split, place=place)
    person, gender, age, mask = _labels(cells, wrong)
    key = extra_key(person) if split == "extra" else person
    return Candidate(image, "train", key, gender, age, mask, place=place)


def _labels(cells: Mapping[str, str], wrong: list[str]) -> tuple[str, str, int, str]:
    person = cells.get("person", "")
    if not person:
        wrong.append("person is empty")
    elif is_extra_key(person):
        wrong.append(f"person {person!r}: {RESERVED}; set split to extra instead")
    elif problem := name_problem(person) or formula_problem(person):
        wrong.append(f"person {person!r}: {problem}")
    gender, age, mask = "", -1, ""
    try:
        gender = read_gender(cells.get("gender", ""))
    except ValueError as e:
        wrong.append(str(e))
    try:
        age = read_age(cells.get("age", ""))
    except ValueError as e:
        wrong.append(str(e))
    try:
        mask = read_mask(cells.get("mask", ""))
    except ValueError as e:
        wrong.append(str(e))
    return person, gender, age, mask


def contradictions(
    photos: Iterable[tuple[Where, Candidate]], problem: Callable[[Where, str, Where], str]
) -> list[str]:
    """People with two genders or two ages: a typo, or two people under one name.

    Args:
        photos: each with where it is labelled.
        problem: makes the sentence of where, what is wrong there, and where it says otherwise.
    """
    problems: list[str] = []
    first: dict[str, tuple[Where, Candidate]] = {}
    for where, photo in photos:
        if photo.split != "train":
            continue
        earlier, other = first.setdefault(photo.person, (where, photo))
        for name, value, before in (("gender", photo.gender, other.gender), ("age", photo.age, other.age)):
            if value != before:
                what = f"{photo.person} has {name} {value}, but {before}"
                problems.append(problem(where, what, earlier))
    return problems


def first_people(photos: Sequence[Candidate], limit: int | None) -> list[Candidate]:
    """The photos of the first `limit` people of train, and of as many extra ones; all without a limit."""
    train = [photo for photo in photos if photo.split == "train"]
    if limit is None:
        return train
    people = sorted({photo.person for photo in train}, key=lambda p: (is_extra_key(p), p))
    own = [person for person in people if not is_extra_key(person)]
    chosen = {*own[:limit], *people[len(own) :][:limit]}
    return [photo for photo in train if photo.person in chosen]
