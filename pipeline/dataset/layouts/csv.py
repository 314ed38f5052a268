"""`data.layout: csv`: a table lists the photos and their labels.

    image,person,gender,age,mask[,split]

`image` is a path below ROOT. `split` is train (also when empty), eval or extra; an eval row needs `image`
only, and people of extra rows are learnt from and never validated on. One person has one gender and one age.
No `image` or `person` begins like a formula. Files that are not in the table are ignored.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pipeline.dataset.competition_tables import note_if_empty, read_optional_table
from pipeline.dataset.disk_names import DiskNames
from pipeline.dataset.extra import RESERVED, extra_key, is_extra_key
from pipeline.dataset.listing import Candidate, Listing, reject_name_clashes, system_file_reason
from pipeline.dataset.safe_files import name_problem
from pipeline.dataset.user_csv import Row
from pipeline.io.formula import formula_problem
from pipeline.io.spelling import nfc, spelling_clashes
from pipeline.io.system_files import is_system_path, system_folder
from pipeline.labels import read_age, read_gender, read_mask
from pipeline.params.preparation import Data
from pipeline.runtime.errors import Problems, UserError, nearest

COLUMNS = ("image", "person", "gender", "age", "mask")
SPLITS = ("train", "eval", "extra")


def read(root: Path, data: Data, limit: int | None) -> Listing:
    """Lists the photos of the table; ingest finds missing ones when it opens them.

    Args:
        root: the data folder, resolved.
        data: the params section; `data.table` is the table's path below `root`.
        limit: take only the first `limit` people, as many extra ones, and `limit` photos to predict.

    Raises:
        UserError: there is no such table.
    """
    listing = Listing()
    rows = read_optional_table(root, data.table, COLUMNS, ("split",), listing)
    if rows is None:
        if listing.problems:
            raise Problems("the table of photos cannot be used", listing.problems)
        fix = "set data.table to a table below data.root, or data.layout to folders"
        raise UserError("the table of photos is missing", where=root / data.table, fix=fix)
    note_if_empty(rows, data.table, listing)
    photos = _candidates(rows, data.table, listing)
    photos, written = _resolve_spelling(root, photos, data.table, listing)
    listing.problems += _contradictions(photos, data.table)
    users = [p for _, p in photos if not is_system_path(PurePosixPath(p.image))]
    _quarantine_system_files([p.image for _, p in photos], listing)
    kept = reject_name_clashes(users, listing)
    people = sorted({p.person for p in kept if p.split == "train"}, key=lambda p: (is_extra_key(p), p))
    own = [p for p in people if not is_extra_key(p)]
    chosen = set(own[:limit] + people[len(own) :][:limit] if limit else people)
    used = {p.image for p in kept}
    listing.photos = [p for p in kept if p.split == "train" and p.person in chosen]
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
    root: Path, photos: Sequence[tuple[int, Candidate]], table: str, listing: Listing
) -> tuple[list[tuple[int, Candidate]], dict[str, str]]:
    """The photos with keys as spelled on disk, and key -> path as spelled in the table."""
    names = DiskNames(root)
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
        image, split = posixpath.normpath(row["image"].replace("\\", "/")), row["split"].lower() or "train"
        wrong = _path_problems(row["image"], image)
        if split not in SPLITS:
            close = nearest(split, SPLITS)
            hint = f", did you mean {close!r}?" if close else ""
            wrong.append(f"split is {row['split']!r}{hint}; allowed: {', '.join(SPLITS)}")
        if nfc(image) in lines and row["image"]:
            wrong.append(f"image {row['image']!r} is in line {lines[nfc(image)]} too")
        lines.setdefault(nfc(image), row.line)
        gender, age, mask = _labels(row, wrong) if split != "eval" else ("", -1, "")
        listing.problems += [f"{table} line {row.line}: {w}" for w in wrong]
        if wrong:
            continue
        if split == "eval":
            photos.append((row.line, Candidate(image, split, position=position)))
            position += 1
        else:
            person = extra_key(row["person"]) if split == "extra" else row["person"]
            photos.append((row.line, Candidate(image, "train", person, gender, age, mask)))
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


def _labels(row: Row, wrong: list[str]) -> tuple[str, int, str]:
    """(gender, age, mask) of a row; appends its problems to `wrong`."""
    if not row["person"]:
        wrong.append("person is empty")
    elif is_extra_key(row["person"]):
        wrong.append(f"person {row['person']!r}: {RESERVED}; set split to extra instead")
    elif problem := name_problem(row["person"]) or formula_problem(row["person"]):
        wrong.append(f"person {row['person']!r}: {problem}")
    gender, age, mask = "", -1, ""
    try:
        gender = read_gender(row["gender"])
    except ValueError as e:
        wrong.append(str(e))
    try:
        age = read_age(row["age"])
    except ValueError as e:
        wrong.append(str(e))
    try:
        mask = read_mask(row["mask"])
    except ValueError as e:
        wrong.append(str(e))
    return gender, age, mask


def _contradictions(photos: Sequence[tuple[int, Candidate]], table: str) -> list[str]:
    """People with two genders or two ages: a typo, or two people under one name."""
    problems: list[str] = []
    first: dict[str, tuple[int, Candidate]] = {}
    for line, photo in photos:
        if photo.split != "train":
            continue
        first_line, other = first.setdefault(photo.person, (line, photo))
        for name, value, earlier in (
            ("gender", photo.gender, other.gender),
            ("age", photo.age, other.age),
        ):
            if value != earlier:
                problems.append(
                    f"{table} line {line}: {photo.person} has {name} {value}, "
                    f"but {earlier} in line {first_line}"
                )
    return problems
