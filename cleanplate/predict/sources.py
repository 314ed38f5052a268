"""What to answer about: photos, folders, patterns, standard input, and frames of videos."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from pipeline.dataset.listing import stray_reason
from pipeline.dataset.safe_files import Unusable, checked_path, read_regular
from pipeline.io.photo import MAX_BYTES
from pipeline.runtime.errors import UserError

VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mjpeg")
STDIN = "-"


@dataclass(frozen=True)
class Refused:
    """Why a file is not answered about, and what helps: the words of `build/quarantine.csv`."""

    reason: str
    fix: str


@dataclass(frozen=True)
class Source:
    """A photo or a video to read later.

    Attributes:
        image: its name in the output.
        path: of the file; None = standard input.
        root: the folder that was named, which links must not leave; None for a file that was named itself.
        refused: known from its name.
    """

    image: str
    path: Path | None
    root: Path | None = None
    refused: Refused | None = None

    @property
    def is_video(self) -> bool:
        return PurePosixPath(self.image).suffix.lower() in VIDEOS

    def read(self) -> bytes:
        """The bytes of a photo.

        Raises:
            Unusable: it is not a regular file, leads out of its folder, or is too large.
        """
        if self.path is None:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise Unusable(f"it has more than {MAX_BYTES} bytes", "save it smaller")
            return data
        return read_regular(self.checked(), MAX_BYTES)

    def checked(self) -> Path:
        """The path, if it does not lead out of the folder that was named."""
        assert self.path is not None
        return checked_path(self.root, self.image) if self.root else self.path


def sources_of(names: Iterable[str]) -> list[Source]:
    """All photos and videos that the names mean, in order; folders and patterns sorted.

    Raises:
        UserError: a name is neither a file nor a folder nor a pattern that matches something.
    """
    found: list[Source] = []
    for name in names:
        path = Path(name)
        if name == STDIN:
            found.append(Source(STDIN, None))
        elif path.is_dir():
            found += _in_folder(path.resolve())
        elif path.exists() or path.is_symlink():
            found.append(Source(name, path))
        elif matches := sorted(glob.glob(name, recursive=True)):  # noqa: PTH207 (absolute patterns too)
            found += [Source(match, Path(match)) for match in matches if not Path(match).is_dir()]
        else:
            raise UserError(
                "there is no such photo",
                got=name,
                allowed="a photo, a folder, a pattern, a video, or - (stdin)",
            )
    return found


def _in_folder(root: Path) -> Iterator[Source]:
    """Everything below a folder that is a photo or video, or looks like one and cannot be used."""
    pending, names = [root], list[str]()
    while pending:
        for entry in sorted(pending.pop().iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                pending += [] if entry.name.startswith(".") else [entry]
            else:
                names.append(entry.relative_to(root).as_posix())
    for image in sorted(names):
        source = Source(image, root / image, root)
        stray = None if source.is_video else stray_reason(image)
        if stray is None:
            yield source
        elif stray[2]:  # a picture, which must not vanish
            yield Source(image, root / image, root, Refused(stray[0], stray[1]))


def frames_of(path: Path, every: int) -> Iterator[tuple[int, np.ndarray]]:
    """Number and pixels (uint8 [H, W, 3] RGB, upright) of every so-manieth frame of a video, from 0.

    Raises:
        Unusable: it is not a video that OpenCV can read.
    """
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            raise Unusable("not a video that can be read", "convert it to MP4 (H.264)")
        number = 0
        while video.grab():
            if number % every == 0:
                done, frame = video.retrieve()
                if done:
                    yield number, np.ascontiguousarray(frame[..., ::-1])
            number += 1
        if number == 0:
            raise Unusable("a video without a frame", "copy or download it again")
    finally:
        video.release()
