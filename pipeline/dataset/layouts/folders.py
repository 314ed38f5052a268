"""`data.layout: folders`: the competition's layout, a folder per person.

ROOT/train/images/{id}_{gender}_{race}_{age}/{mask1..mask5,incorrect_mask,normal}.{jpg,jpeg,png}
ROOT/train/train.csv      optional; compared with the folders, which win
ROOT/extra/images/...     optional, as train/images: other people, to learn from and never to validate on
ROOT/eval/images/*        optional, with ROOT/eval/info.csv: photos to predict, in submission order
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from pipeline.dataset.competition_tables import compare_with_folders
from pipeline.dataset.eval_table import arrange_eval
from pipeline.dataset.extra import extra_key
from pipeline.dataset.listing import Candidate, Listing, is_picture, reject_name_clashes, stray_reason
from pipeline.dataset.person import Person, PersonError, read_person
from pipeline.dataset.safe_files import checked_folder, name_problem
from pipeline.io.spelling import spelling_clashes
from pipeline.io.system_files import is_system
from pipeline.labels import MASK_OF_STEM
from pipeline.params.preparation import Data
from pipeline.runtime.errors import UserError, nearest, printable

TRAIN = "train/images"
EXTRA = "extra/images"
EVAL = "eval/images"
NO_PHOTO = "a person's folder without a photo"


def read(root: Path, data: Data, limit: int | None) -> Listing:
    """Lists the data folder.

    Args:
        root: the data folder, resolved.
        data: the params section; unused here.
        limit: take only the first `limit` people, and `limit` photos to predict.

    Raises:
        UserError: there is no ROOT/train/images.
    """
    listing = Listing()
    if not (root / TRAIN).is_dir():
        raise _no_train(root)
    people = _list_people(root, TRAIN, listing, limit)
    compare_with_folders(root, [p.key for p in people], listing)
    if (root / EXTRA).is_dir():
        _list_people(root, EXTRA, listing, limit)
    elif (root / EXTRA).parent.exists():
        listing.problems.append(f"there is no folder {EXTRA}, where extra people belong")
    arrange_eval(root, _eval_photos(root, listing), EVAL, False, listing, limit)
    return listing


def _list_people(root: Path, place: str, listing: Listing, limit: int | None) -> list[Person]:
    """Lists the photos of the first `limit` people below ROOT/`place`; returns all of them."""
    people = _people(root, place, listing)
    _note_shared_ids(people, listing)
    chosen = people[:limit] if limit else people
    for person in chosen:
        listing.photos += _photos(root, place, person, listing)
    _note_missing(place, chosen, listing)
    return people


def _entries(root: Path, folder: str, listing: Listing) -> list[os.DirEntry[str]]:
    """The entries of a folder, sorted by code points, independent of the locale."""
    try:
        with os.scandir(checked_folder(root, folder)) as entries:
            listed = sorted(entries, key=lambda e: e.name)
    except OSError as e:
        listing.quarantine(folder, f"it cannot be read ({e.strerror})", "make it readable, or copy it again")
        return []
    names = (e.name for e in listed if is_picture(e.name) or _is_folder(e))
    listing.problems += [f"{folder}: {problem}" for problem in spelling_clashes(names)]
    return listed


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circular link
        return False


def _people(root: Path, place: str, listing: Listing) -> list[Person]:
    people: list[Person] = []
    for entry in _entries(root, place, listing):
        path = f"{place}/{entry.name}"
        if not _is_folder(entry):
            reason, fix, counts = stray_reason(entry.name) or (
                "a photo outside a person's folder",
                "move it",
                True,
            )
            listing.quarantine(path, reason, fix, counts)
        elif is_system(entry.name):
            listing.quarantine_system_folder(path)
        elif problem := name_problem(entry.name):
            _quarantine_folder(root, path, f"its person's folder: {problem}", listing)
        else:
            try:
                people.append(read_person(entry.name))
            except PersonError as e:
                listing.problems.append(f"{path}: {e}")
    return people


def _quarantine_folder(root: Path, path: str, reason: str, listing: Listing) -> None:
    for inner in _entries(root, path, listing):
        if is_system(inner.name) and _is_folder(inner):
            listing.quarantine_system_folder(f"{path}/{inner.name}")
        else:
            counts = is_picture(inner.name) and not is_system(inner.name)
            listing.quarantine(f"{path}/{inner.name}", reason, "rename the folder", counts)


def _quarantine_nested(root: Path, path: str, what: str, listing: Listing) -> None:
    """Quarantines every photo below a misplaced folder, or the folder itself if it has none."""
    if is_system(PurePosixPath(path).name):
        listing.quarantine_system_folder(path)
        return
    inner: list[str] = []
    for folder, folders, names in os.walk(root / path):
        place = PurePosixPath(os.path.relpath(folder, root))
        for system in filter(is_system, folders):
            listing.quarantine_system_folder(str(place / system))
        folders[:] = sorted(name for name in folders if not is_system(name))
        inner += [str(place / name) for name in names if is_picture(name) and not is_system(name)]
    for photo in sorted(inner):
        listing.quarantine(photo, f"in {what}", "move it up")
    if not inner:
        listing.quarantine(path, what, "move its photos up", is_picture(path))


def _photos(root: Path, place: str, person: Person, listing: Listing) -> list[Candidate]:
    folder, key = f"{place}/{person.key}", extra_key(person.key) if place == EXTRA else person.key
    photos, known = list[Candidate](), len(listing.rejected)
    for entry in _entries(root, folder, listing):
        path, name = f"{folder}/{entry.name}", PurePosixPath(entry.name)
        if _is_folder(entry):
            _quarantine_nested(root, path, "a folder inside a person's folder", listing)
        elif stray := stray_reason(entry.name):
            listing.quarantine(path, *stray)
        elif mask := MASK_OF_STEM.get(name.stem.lower()):
            photos.append(Candidate(path, "train", key, person.gender, person.age, mask))
        else:
            close = nearest(name.stem.lower(), MASK_OF_STEM)
            hint = f"rename it, perhaps to {close}{name.suffix}" if close else "rename it"
            listing.quarantine(path, "not a known photo name (mask1 to mask5, incorrect_mask, normal)", hint)
    if not any(a.counts and a.path.startswith(f"{folder}/") for a in listing.rejected[known:]) and not photos:
        listing.quarantine(folder, NO_PHOTO, "put photos there, or remove the folder", counts=False)
        listing.notes.append(f"{folder}: {NO_PHOTO}")
    return reject_name_clashes(photos, listing)


def _note_shared_ids(people: list[Person], listing: Listing) -> None:
    """Notes ids that several folders share: two people in the real set, but it may be one person twice."""
    folders: dict[str, list[str]] = {}
    for person in people:
        folders.setdefault(person.id, []).append(person.key)
    for id_, keys in folders.items():
        if len(keys) > 1:
            listing.notes.append(
                f"id {id_} is in {len(keys)} folders, each a person of its own: {', '.join(keys)}"
            )


def _note_missing(place: str, people: list[Person], listing: Listing) -> None:
    """Notes people without the usual photos; quarantined photos do not count as missing."""
    stems: dict[str, set[str]] = {p.key: set() for p in people}
    for path in [p.image for p in listing.photos] + [a.path for a in listing.rejected]:
        person = path.split("/")[2] if path.startswith(f"{place}/") and path.count("/") >= 3 else ""
        stems.get(person, set()).add(PurePosixPath(path).stem.lower())
    for person, present in stems.items():
        lacking = [stem for stem in MASK_OF_STEM if present and stem not in present]
        if lacking:
            listing.notes.append(f"{place}/{person}: no {', '.join(lacking)}")


def _eval_photos(root: Path, listing: Listing) -> list[Candidate]:
    if not (root / EVAL).is_dir():
        if (root / EVAL).exists():
            listing.problems.append(f"{EVAL} is not a folder")
        return []
    photos: list[Candidate] = []
    for entry in _entries(root, EVAL, listing):
        path = f"{EVAL}/{entry.name}"
        if _is_folder(entry):
            _quarantine_nested(root, path, "a folder among the photos to predict", listing)
        elif stray := stray_reason(entry.name):
            listing.quarantine(path, *stray)
        else:
            photos.append(Candidate(path, "eval"))
    return reject_name_clashes(photos, listing)


def _no_train(root: Path) -> UserError:
    fix = "set data.root to the folder that holds train/images, or data.layout to csv"
    for place in (root.parent, root.parent.parent):
        if (place / TRAIN).is_dir():
            fix = f"it looks as if you meant its parent: data.root: {place}"
    for child in sorted(root.iterdir()):
        if (child / TRAIN).is_dir():
            fix = f"it looks as if you meant the folder inside: data.root: {child}"
    holds = ", ".join(sorted(printable(p.name) for p in root.iterdir())[:10]) or "nothing"
    return UserError("the data folder has no train/images", where=root, got=f"it holds {holds}", fix=fix)
