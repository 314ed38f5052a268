"""Converts tables with labels of single photos to rows of the table of corrections.

Formats: `path,label` with the class 0 to 17, or `path` (or `person,image`) with columns gender, age, mask.
Only values that differ from the labels become corrections, so a table of all photos is fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from cleanplate.corrections.importer import Importer, ImportResult, catch_problem
from pipeline.dataset.corrections_table import CorrectionRow
from pipeline.dataset.user_csv import Row, read_rows
from pipeline.labels import AGE_GROUPS, CLASSES, GENDERS, MASKS, age_group, age_group_of, gender_of, mask_of
from pipeline.runtime.errors import Problems

VALUES = ("gender", "age", "mask", "label")
ALLOWED = "path, or person and image; and gender, age, mask or label (the class 0 to 17)"


def read_photo_values(importer: Importer, data: bytes, where: str) -> ImportResult:
    """Reads a table with a row per photo.

    Raises:
        Problems: it lacks columns.
    """
    out = ImportResult()
    rows = read_rows(data, where, [], ["path", "person", "image", *VALUES])
    if rows and not _has_columns(set(rows[0].cells)):
        raise Problems(
            f"{where} is not a table of photos",
            [f"its columns: {', '.join(rows[0].cells)}"],
            fix=f"needed: {ALLOWED}",
        )
    for row in rows:
        catch_problem(out, where, row.line, lambda r=row: _photo(importer, out, r))
    out.entries = _merge_whole_people(importer, out.entries)
    return out


def _has_columns(columns: set[str]) -> bool:
    return ("path" in columns or {"person", "image"} <= columns) and bool(columns & set(VALUES))


def _photo(importer: Importer, out: ImportResult, row: Row) -> None:
    path = PurePosixPath(row["path"] or f"{row['person']}/{row['image']}")
    if len(path.parts) < 2 or not path.name:
        raise ValueError(f"{row['path']!r} names no photo of a person; write PERSON/PHOTO")
    person = importer.search.find(path.parent.name)
    images = importer.photos(person, path.name)
    if len(images) != 1:
        raise ValueError(f"{path.name!r} names {len(images)} photos of {person}; write the file name")
    (given,) = images.values()
    right = {field: row[field] for field in ("gender", "age", "mask") if row[field]}
    if row["label"]:
        clash = sorted(set(right) & {"gender", "mask", "age"})
        if clash:
            raise ValueError(f"says both label and {', '.join(clash)}")
        right = _values_of_class(row["label"], given["age"])
    for field, value in right.items():
        importer.row(out, person, path.name, field, "", value)


def _values_of_class(text: str, age: str) -> dict[str, str]:
    """Values of a class; keeps an age that is already in the right group."""
    try:
        code = int(text)
    except ValueError:
        code = -1
    if not 0 <= code < CLASSES:
        raise ValueError(f"label is {text!r}; allowed: a class from 0 to {CLASSES - 1}")
    group = age_group_of(code)
    years = age if age_group(int(age)) == group else AGE_GROUPS[group]
    return {"mask": MASKS[mask_of(code)], "gender": GENDERS[gender_of(code)], "age": years}


def _merge_whole_people(importer: Importer, entries: Sequence[CorrectionRow]) -> list[CorrectionRow]:
    """Merges equal rows for all photos of a person into one row."""
    images_of: dict[CorrectionRow, set[str]] = {}
    for entry in entries:
        images_of.setdefault(replace(entry, image=""), set()).add(entry.image)
    merged: list[CorrectionRow] = []
    for whole, images in images_of.items():
        if len(images) == len(importer.photos(whole.person, "")):
            merged.append(whole)
        else:
            merged += [replace(whole, image=image) for image in sorted(images)]
    return merged
