"""The contents of a data folder, before any photo is opened."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from pipeline.dataset.safe_files import name_problem
from pipeline.io.system_files import is_system
from pipeline.io.tar_shards import Place

SUFFIXES = (".jpg", ".jpeg", ".png")
OTHER_PICTURES = (
    ".jfif",
    ".jpe",
    ".heic",
    ".heif",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".avif",
    ".svg",
    ".eps",
)
OF_OUTPUTS = (".jpg", ".png")  # composed pictures and mattes have their photo's name with one of these
PICTURES = frozenset((*SUFFIXES, *OTHER_PICTURES))
SYSTEM_FOLDER = "a hidden or system folder"
SYSTEM_FIX = "nothing to do; remove it if you like"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photo as listed: its key, split, labels (empty and -1 in the eval split), and place in a shard."""

    image: str
    split: str
    person: str = ""
    gender: str = ""
    age: int = -1
    mask: str = ""
    position: int = -1
    place: Place | None = None  # None = a file of its own


@dataclass(frozen=True)
class Rejected:
    """A path that is not used. `counts`: it is a photo file, so it counts against ingest.max_quarantine."""

    path: str
    reason: str
    fix: str
    counts: bool = True


@dataclass
class Listing:
    """Everything in a data folder.

    `eval_rows`: (ImageID, image) in submission order, image "" if there is none. `problems` stop the run;
    `notes` are only reported.
    """

    photos: list[Candidate] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    eval_rows: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def quarantine(self, path: str, reason: str, fix: str, counts: bool = True) -> None:
        self.rejected.append(Rejected(path, reason, fix, counts))

    def quarantine_system_folder(self, path: str) -> None:
        """Lists a folder made by an operating system, a NAS or a tool once, and does not count it."""
        self.quarantine(path, SYSTEM_FOLDER, SYSTEM_FIX, counts=False)


def is_picture(name: str) -> bool:
    """Whether the name has the suffix of a picture format."""
    return posixpath.splitext(name)[1].lower() in PICTURES


def system_file_reason(path: str) -> tuple[str, str, bool] | None:
    """(reason, fix, counts) for a hidden or system file, or None."""
    return ("a hidden or system file", SYSTEM_FIX, False) if is_system(posixpath.basename(path)) else None


def stray_reason(name: str) -> tuple[str, str, bool] | None:
    """(reason, fix, counts) if the name cannot be a photo's, or None."""
    if system := system_file_reason(name):
        return system
    if problem := name_problem(name):
        return problem, "rename it", is_picture(name)
    suffix = posixpath.splitext(name)[1].lower()
    if suffix not in SUFFIXES:
        fix = "convert it to JPEG or PNG" if is_picture(name) else "nothing to do; it is left out"
        return f"not named like a photo ({', '.join(SUFFIXES)})", fix, is_picture(name)
    return None


def reject_name_clashes(photos: Iterable[Candidate], listing: Listing) -> list[Candidate]:
    """`photos` without those whose names differ only in suffix or case; quarantines all of these.

    Nobody knows which one is right, and pictures made from them would overwrite each other.
    """
    first: dict[str, Candidate] = {}
    clashing: dict[str, list[Candidate]] = {}
    kept: list[Candidate] = []
    for photo in photos:
        stem = posixpath.splitext(photo.image)[0].lower()
        other = first.setdefault(stem, photo)
        if other is photo:
            kept.append(photo)
        else:
            clashing.setdefault(stem, [other]).append(photo)
    for group in clashing.values():
        for photo in group:
            others = ", ".join(PurePosixPath(t.image).name for t in group if t is not photo)
            listing.quarantine(photo.image, f"the same photo name as {others}", "keep one of them")
    refused = {photo.image for group in clashing.values() for photo in group}
    return _reject_folder_clashes([p for p in kept if p.image not in refused] if refused else kept, listing)


def _reject_folder_clashes(photos: list[Candidate], listing: Listing) -> list[Candidate]:
    """Without photos whose pictures would have the name of a folder: `a.png` beside `a.jpg/b.jpg`."""
    folders = {posixpath.dirname(photo.image) for photo in photos}
    folders |= {parent for folder in folders for parent in _parents(folder)}
    named = {folder.lower(): folder for folder in sorted(folders) if folder.lower().endswith(OF_OUTPUTS)}
    if not named:
        return photos
    kept: list[Candidate] = []
    for photo in photos:
        stem = posixpath.splitext(photo.image)[0].lower()
        if clash := next((named[stem + s] for s in OF_OUTPUTS if stem + s in named), ""):
            reason = f"its pictures would be files where others lie in a folder, {clash}"
            listing.quarantine(photo.image, reason, "rename the photo or the folder")
        else:
            kept.append(photo)
    return kept


def _parents(folder: str) -> Iterable[str]:
    while folder := posixpath.dirname(folder):
        yield folder


def with_position(photo: Candidate, position: int) -> Candidate:
    """The eval photo with its position in the submission."""
    return replace(photo, position=position)
