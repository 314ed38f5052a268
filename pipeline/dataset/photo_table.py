"""A table of photos and their labels, `image,person,gender,age,mask[,split]`, at `data.table` below ROOT.

`split` is train (also when empty), eval or extra; an eval row needs `image` only, and people of extra rows
are learnt from and never validated on. One person has one gender and one age. No `image` or `person` begins
like a formula.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Protocol

from pipeline.dataset.competition_tables import note_if_empty, read_optional_table
from pipeline.dataset.data_folder import Root
from pipeline.dataset.label_rows import LABELS, contradictions, first_people, read_candidate
from pipeline.dataset.listing import (
    Candidate,
    Listing,
    reject_name_clashes,
    system_file_reason,
    with_position,
)
from pipeline.dataset.safe_files import name_problem
from pipeline.dataset.user_csv import Row
from pipeline.io.formula import formula_problem
from pipeline.io.spelling import nfc, spelling_clashes
from pipeline.io.system_files import is_system_path, system_folder
from pipeline.runtime.errors import Problems, UserError

COLUMNS = ("image", *LABELS)


class Names(Protocol):
    """The photos that there are."""

    def spelling(self, path: str) -> str:
        """`path` as it is spelled there; unchanged if there is no such photo.

        Raises:
            ValueError: a part of it exists in two spellings; the text names both.
        """
        ...


def list_table(root: Root, table: str, names: Names, limit: int | None) -> Listing:
    """Lists the photos of a table; whether they exist is not known yet.

    Args:
        root: the data folder.
        table: its path below `root`.
        names: how photos are spelled.
        limit: take only the first `limit` people, as many extra ones, and `limit` photos to predict.

    Raises:
        Problems: there is such a table, and it is unusable.
        UserError: there is no such table.
    """
    listing = Listing()
    rows = read_optional_table(root, table, COLUMNS, ("split",), listing)
    if rows is None:
        if listing.problems:
            raise Problems("the table of photos cannot be used", listing.problems)
        fix = "set data.table to a table below data.root, or data.layout to folders"
        raise UserError("the table of photos is missing", where=f"{root}/{table}", fix=fix)
    note_if_empty(rows, table, listing)
    photos = _candidates(rows, table, listing)
    photos, written = _resolve_spelling(names, photos, table, listing)
    listing.problems += contradictions(photos, partial(_contradiction, table))
    users = [p for _, p in photos if not is_system_path(PurePosixPath(p.image))]
    _quarantine_system_files([p.image for _, p in photos], listing)
    kept = reject_name_clashes(users, listing)
    used = {p.image for p in kept}
    listing.photos = first_people(kept, limit)
    to_predict = [p for _, p in photos if p.split == "eval"]
    for photo in to_predict[:limit] if limit else to_predict:
        listing.eval_rows.append((written[photo.image], photo.image if photo.image in used else ""))
    wanted = {image for _, image in listing.eval_rows}
    listing.photos += [p for p in kept if p.image in wanted]
    return listing


def _quarantine_system_files(images: Sequence[str], listing: Listing) -> None:
    """Quarantines system files in the table, which often comes from a walk through all folders."""
    for folder in sorted({system_folder(image) for image in images} - {""}):
        listing.quarantine_system_folder(folder)
    for image in images:
        if not system_folder(image) and (stray := system_file_reason(image)):
            listing.quarantine(image, *stray)


def _resolve_spelling(
    names: Names, photos: Sequence[tuple[int, Candidate]], table: str, listing: Listing
) -> tuple[list[tuple[int, Candidate]], dict[str, str]]:
    """The photos with keys as `names` spells them, and key -> path as spelled in the table."""
    spelled: list[tuple[int, Candidate]] = []
    written: dict[str, str] = {}
    for line, photo in photos:
        try:
            image = names.spelling(photo.image)
        except ValueError as e:
            listing.problems.append(f"{table} line {line}: image {photo.image!r}: {e}")
            continue
        written[image] = photo.image
        spelled.append((line, replace(photo, image=image)))
    people = spelling_clashes(p.person for _, p in photos if p.split == "train")
    listing.problems += [f"{table}: person {problem}" for problem in people]
    return spelled, written


def _candidates(rows: Sequence[Row], table: str, listing: Listing) -> list[tuple[int, Candidate]]:
    """(line, photo) of every valid row; the others become problems."""
    photos: list[tuple[int, Candidate]] = []
    lines: dict[str, int] = {}
    position = 0
    for row in rows:
        image = posixpath.normpath(row["image"].replace("\\", "/"))
        wrong = _path_problems(row["image"], image)
        photo = read_candidate(image, row.cells, "train", wrong)
        if nfc(image) in lines and row["image"]:
            wrong.append(f"image {row['image']!r} is in line {lines[nfc(image)]} too")
        lines.setdefault(nfc(image), row.line)
        listing.problems += [f"{table} line {row.line}: {w}" for w in wrong]
        if wrong:
            continue
        if photo.split == "eval":
            photo = with_position(photo, position)
            position += 1
        photos.append((row.line, photo))
    return photos


def _path_problems(written: str, image: str) -> list[str]:
    if not written:
        return ["image is empty"]
    if (
        image.startswith(("/", "../"))
        or image in (".", "..")
        or ".." in written.replace("\\", "/").split("/")
    ):
        return [f"image {written!r} points outside the data folder"]
    if image[1:2] == ":":
        return [f"image {written!r} is not a path below the data folder"]
    if problem := name_problem(image) or formula_problem(image):
        return [f"image {written!r}: {problem}"]
    return []


def _contradiction(table: str, line: int, what: str, first: int) -> str:
    return f"{table} line {line}: {what} in line {first}"
