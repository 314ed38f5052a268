"""Tables with the right labels of single photos, as rows of the table of corrections.

Teams mend such tables in place of folders: `path,label` with the class 0 to 17, or `path` (or `person,image`)
with columns of gender, age, mask. What the labels say already is no correction, so a table of all photos
gives only what was mended in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from cleanplate.corrections.importer import Imported, Importer, noted
from pipeline.dataset.corrections_table import CorrectionRow
from pipeline.dataset.user_csv import Row, read_rows
from pipeline.labels import AGE_GROUPS, CLASSES, GENDERS, MASKS, age_group, age_group_of, gender_of, mask_of
from pipeline.runtime.errors import Problems

VALUES = ("gender", "age", "mask", "label")
ALLOWED = "path, or person and image; and gender, age, mask or label (the class 0 to 17)"


def photo_values(importer: Importer, data: bytes, where: str) -> Imported:
    """A table with a row per photo.

    Raises:
        Problems: it has not the columns for it.
    """
    out = Imported()
    rows = read_rows(data, where, [], ["path", "person", "image", *VALUES])
    if rows and not _readable(set(rows[0].cells)):
        raise Problems(
            f"{where} is no table of photos",
            [f"its columns: {', '.join(rows[0].cells)}"],
            fix=f"needed: {ALLOWED}",
        )
    for row in rows:
        noted(out, where, row.line, lambda r=row: _photo(importer, out, r))
    out.entries = _of_whole_people(importer, out.entries)
    return out


def _readable(columns: set[str]) -> bool:
    return ("path" in columns or {"person", "image"} <= columns) and bool(columns & set(VALUES))


def _photo(importer: Importer, out: Imported, row: Row) -> None:
    path = PurePosixPath(row["path"] or f"{row['person']}/{row['image']}")
    if len(path.parts) < 2 or not path.name:
        raise ValueError(f"{row['path']!r} names no photo of a person; write PERSON/PHOTO")
    person = importer.search.find(path.parent.name)
    images = importer.photos(person, path.name)
    if len(images) != 1:
        raise ValueError(f"{path.name!r} names {len(images)} photos of {person}; write the file name")
    (said,) = images.values()
    right = {field: row[field] for field in ("gender", "age", "mask") if row[field]}
    if row["label"]:
        clash = sorted(set(right) & {"gender", "mask", "age"})
        if clash:
            raise ValueError(f"says both label and {', '.join(clash)}")
        right = _of_class(row["label"], said["age"])
    for field, value in right.items():
        importer.row(out, person, path.name, field, "", value)


def _of_class(text: str, age: str) -> dict[str, str]:
    """Values of a class; an age stays where it is in the right group already."""
    try:
        code = int(text)
    except ValueError:
        code = -1
    if not 0 <= code < CLASSES:
        raise ValueError(f"label is {text!r}; allowed: a class from 0 to {CLASSES - 1}")
    group = age_group_of(code)
    years = age if age_group(int(age)) == group else AGE_GROUPS[group]
    return {"mask": MASKS[mask_of(code)], "gender": GENDERS[gender_of(code)], "age": years}


def _of_whole_people(importer: Importer, entries: Sequence[CorrectionRow]) -> list[CorrectionRow]:
    """One row in place of a person's photos that all say the same."""
    alike: dict[CorrectionRow, set[str]] = {}
    for entry in entries:
        alike.setdefault(replace(entry, image=""), set()).add(entry.image)
    found: list[CorrectionRow] = []
    for whole, images in alike.items():
        if len(images) == len(importer.photos(whole.person, "")):
            found.append(whole)
        else:
            found += [replace(whole, image=image) for image in sorted(images)]
    return found
