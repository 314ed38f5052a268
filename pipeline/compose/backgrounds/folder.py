"""Pictures from the user's folder (`synthesize.folder`): a random window, half of them mirrored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from pipeline.compose.backgrounds import Candidate, ChooseFn, Sources
from pipeline.compose.crop import resized
from pipeline.io.parcel import Source, file_source, read_file
from pipeline.io.photo import PhotoError, read_photo
from pipeline.io.system_files import is_system_path
from pipeline.runtime.errors import Problems, UserError
from pipeline.runtime.progress import say, track
from pipeline.workers.run import run_parallel

MIN_WINDOW = 0.6  # of the picture's shorter side


def chooser(sources: Sources, candidates: Sequence[Candidate]) -> ChooseFn:
    """Chooses among the readable pictures below the folder; see `pipeline.compose.backgrounds`."""
    folder = sources.folder
    if folder is None or not folder.is_dir():
        raise UserError(
            "the folder of backgrounds is missing",
            got=str(folder),
            fix="set synthesize.folder to a folder of pictures",
        )
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if _is_picture(p, folder))
    check = partial(_checker, folder)
    reasons = track(
        run_parallel(check, names, machine=sources.machine, reads=partial(reads, sources)),
        len(names),
        "backgrounds",
        "pictures",
    )
    problems = [(name, reason) for name, reason in zip(names, reasons, strict=True) if reason]
    broken = {name for name, _ in problems}
    usable = [name for name in names if name not in broken]
    if not usable:
        raise Problems(
            f"there is no readable picture below {folder}",
            [f"{name}: {reason}" for name, reason in problems],
            fix="put JPEG or PNG pictures there, or set synthesize.backgrounds to others or procedural",
        )
    if problems:
        say(f"synthesize: {len(problems)} of {len(names)} files in {folder} are no readable pictures:")
        for name, reason in problems:
            say(f"  {name}: {reason}")
    return lambda person, seed: usable[seed % len(usable)]


def _is_picture(path: Path, folder: Path) -> bool:
    return path.is_file() and not is_system_path(path.relative_to(folder))


def _checker(folder: Path) -> Callable[[str], str]:
    """Makes a function that returns "" for a readable picture, else the reason why not."""

    def check(name: str) -> str:
        try:
            read_photo(folder / name)
        except (PhotoError, OSError) as e:
            return str(e).splitlines()[0]
        return ""

    return check


def reads(sources: Sources, donor: str) -> list[Source]:
    """The picture; see `pipeline.compose.backgrounds`."""
    assert sources.folder is not None
    return [file_source(sources.folder / donor)]


def facts(sources: Sources, donor: str) -> list[str]:
    """The bytes of the donor's picture; see `pipeline.compose.backgrounds`."""
    assert sources.folder is not None
    return [hashlib.sha256(read_file(sources.folder / donor)).hexdigest()]


def picture(sources: Sources, donor: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """A window of the picture; see `pipeline.compose.backgrounds`."""
    assert sources.folder is not None
    image = read_photo(sources.folder / donor, sources.background_rgb)
    height, width = image.shape[:2]
    share, x, y, mirror = rng.random(4)
    side = max(1, round(min(width, height) * (MIN_WINDOW + (1 - MIN_WINDOW) * share)))
    left, top = int(x * (width - side + 1)), int(y * (height - side + 1))
    plate = resized(image[top : top + side, left : left + side], size, size)
    return cv2.flip(plate, 1) if mirror < 0.5 else plate
