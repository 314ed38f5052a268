"""ROOT/eval/info.csv: which photos to predict, in which order."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from pipeline.dataset.competition_tables import note_if_empty, read_optional_table
from pipeline.dataset.data_folder import Root
from pipeline.dataset.listing import Candidate, Listing, with_position
from pipeline.dataset.safe_files import name_problem
from pipeline.dataset.user_csv import Row
from pipeline.io.formula import formula_problem
from pipeline.io.spelling import nfc

TABLE = "eval/info.csv"


def arrange_eval(
    root: Root,
    photos: Sequence[Candidate],
    folder: str,
    deep: bool,
    listing: Listing,
    limit: int | None = None,
) -> None:
    """Adds the eval photos and rows to `listing`, in the table's order, or by name if there is no table.

    A duplicate row, a path outside the folder and a name like a formula are problems. A row without a photo
    stays. A photo without a row is quarantined.

    Args:
        root: the data folder.
        photos: to predict; their file names are unique.
        folder: where a missing photo would be, below `root`.
        deep: whether a photo may also be in a folder of it.
        listing: what is added to.
        limit: of photos.
    """

    def is_below(path: str) -> bool:
        parent = posixpath.dirname(path)
        return parent == folder or (deep and parent.startswith(f"{folder}/"))

    rows = read_optional_table(root, TABLE, ("ImageID",), ("ans",), listing)
    by_name = {PurePosixPath(p.image).name: p for p in photos}
    if rows is None:
        wanted = {name: name for name in by_name}
        for name, photo in by_name.items():
            if problem := formula_problem(name):
                listing.problems.append(f"{photo.image}: its name {problem}")
    else:
        note_if_empty(rows, TABLE, listing)
        wanted = _wanted(rows, by_name, listing)
        for name in sorted(set(by_name) - set(wanted.values())):
            listing.quarantine(
                by_name[name].image, f"not listed in {TABLE}", "add a row, or remove the photo"
            )
    rejected = {nfc(posixpath.basename(a.path)) for a in listing.rejected if is_below(a.path)}
    for position, (name, file) in enumerate(list(wanted.items())[:limit]):
        photo = by_name.get(file)
        listing.eval_rows.append((name, photo.image if photo else ""))
        if photo:
            listing.photos.append(with_position(photo, position))
        elif nfc(name) not in rejected:
            missing, reason = f"{folder}/{name}", f"listed in {TABLE}, but there is no such photo"
            listing.quarantine(missing, reason, "restore the photo; its answer is a guess", counts=False)
            listing.notes.append(f"{missing}: {reason}")


def _wanted(rows: Sequence[Row], files: Collection[str], listing: Listing) -> dict[str, str]:
    """ImageID as spelled in the table -> file name as spelled on disk."""
    spelled = {nfc(name): name for name in files}
    wanted: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in rows:
        name, place = row["ImageID"], f"{TABLE} line {row.line}"
        file = spelled.get(nfc(name), nfc(name))
        if not name:
            listing.problems.append(f"{place}: ImageID is empty")
        elif "/" in name or "\\" in name or name in (".", "..") or name_problem(name):
            listing.problems.append(f"{place}: ImageID {name!r} is not the plain name of a photo")
        elif problem := formula_problem(name):
            listing.problems.append(f"{place}: ImageID {name!r} {problem}")
        elif file in lines:
            listing.problems.append(f"{place}: ImageID {name!r} is in line {lines[file]} too")
        else:
            wanted[name], lines[file] = file, row.line
    return wanted
