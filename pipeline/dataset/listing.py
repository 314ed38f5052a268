"""What a data folder was found to hold, before any photo is opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from pipeline.dataset.safe_files import name_problem
from pipeline.io.system_files import is_system

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
SYSTEM_FOLDER = "a hidden or system folder"
SYSTEM_FIX = "nothing to do; remove it if you like"


@dataclass(frozen=True)
class Candidate:
    """A photo as listed: its key, its split and its labels (empty and -1 in the eval split)."""

    image: str
    split: str
    person: str = ""
    gender: str = ""
    age: int = -1
    mask: str = ""
    position: int = -1


@dataclass(frozen=True)
class Aside:
    """A path that is not used. `counts`: it is a photo file, so it counts against ingest.max_quarantine."""

    path: str
    reason: str
    fix: str
    counts: bool = True


@dataclass
class Listing:
    """Everything found.

    `eval_rows`: (ImageID, image) in the order asked for, image "" where there is none. `problems` stop the
    run, `notes` are told and do not.
    """

    photos: list[Candidate] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)
    eval_rows: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def set_aside(self, path: str, reason: str, fix: str, counts: bool = True) -> None:
        self.aside.append(Aside(path, reason, fix, counts))

    def set_system_aside(self, path: str) -> None:
        """A folder that an operating system, a NAS or a tool made: listed as one, and not counted."""
        self.set_aside(path, SYSTEM_FOLDER, SYSTEM_FIX, counts=False)


def is_picture(name: str) -> bool:
    """Whether the name is that of a picture of any format."""
    return PurePosixPath(name).suffix.lower() in (*SUFFIXES, *OTHER_PICTURES)


def system_file_reason(path: str) -> tuple[str, str, bool] | None:
    """(reason, fix, counts) for a hidden or system file, or None."""
    return ("a hidden or system file", SYSTEM_FIX, False) if is_system(PurePosixPath(path).name) else None


def stray_reason(name: str) -> tuple[str, str, bool] | None:
    """(reason, fix, counts) for a name that no photo can have, or None."""
    if system := system_file_reason(name):
        return system
    if problem := name_problem(name):
        return problem, "rename it", is_picture(name)
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in SUFFIXES:
        fix = "convert it to JPEG or PNG" if is_picture(name) else "nothing to do; it is left out"
        return f"not named as a photo ({', '.join(SUFFIXES)})", fix, is_picture(name)
    return None


def without_twins(photos: Iterable[Candidate], listing: Listing) -> list[Candidate]:
    """`photos` without those that differ from another only in suffix or case; both are set aside.

    Which one is right is not known, and pictures made from them would overwrite each other.
    """
    by_stem: dict[str, list[Candidate]] = {}
    for photo in photos:
        by_stem.setdefault(str(PurePosixPath(photo.image).with_suffix("")).lower(), []).append(photo)
    kept: list[Candidate] = []
    for twins in by_stem.values():
        if len(twins) == 1:
            kept.append(twins[0])
            continue
        for twin in twins:
            others = ", ".join(PurePosixPath(t.image).name for t in twins if t is not twin)
            listing.set_aside(twin.image, f"the same photo name as {others}", "keep one of them")
    return kept


def with_position(photo: Candidate, position: int) -> Candidate:
    """The eval photo at its place in the list of what to predict."""
    return replace(photo, position=position)
