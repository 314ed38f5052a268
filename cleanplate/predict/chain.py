"""chain.json of an export: every step from a photo to an answer, checked before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.export import FORMAT
from pipeline.runtime.errors import UserError

FILE = "chain.json"
NAME = re.compile(r"[a-z0-9_]{1,40}")
FILES = (("onnx", "onnx"), ("openvino", "xml"), ("openvino", "bin"))  # folder and suffix of each network
AGAIN = "run `cleanplate export` again, or copy the whole folder again"


@dataclass(frozen=True)
class PhotoRules:
    """Which photos are taken: as `ingest` was set for training."""

    max_pixels: int
    min_side: int
    transparent_rgb: tuple[int, int, int]


@dataclass(frozen=True)
class Compose:
    """The square around a box: margin in shares of its longer side, size in pixels, and what fills it."""

    margin: float
    size: int
    fill: str
    needs_matte: bool
    seed: int


@dataclass(frozen=True)
class Classify:
    """The classifiers: names of networks, pixels a side, and how they vote."""

    networks: tuple[str, ...]
    size: int
    vote: str


@dataclass(frozen=True)
class Chain:
    """The steps in the folder of an export.

    Attributes:
        folder: of the export.
        photo, compose, classify: as their classes say.
        detect: the step as data, with `method` and `networks`.
        segment: the step as data; None without a segmenter.
        temperature: of the calibration, > 0.
    """

    folder: Path
    photo: PhotoRules
    detect: dict[str, Any]
    segment: dict[str, Any] | None
    compose: Compose
    classify: Classify
    temperature: float


def read_chain(folder: Path) -> Chain:
    """The chain of an export, after comparing every file with its sha256.

    Raises:
        UserError: not an export, one of another format, or files that are missing or changed.
    """
    steps = _parsed(folder)
    if steps.get("format") != FORMAT:
        raise UserError(
            "this export is of another format",
            where=folder / FILE,
            got=steps.get("format"),
            allowed=str(FORMAT),
            fix="install the cleanplate that made it, or export again",
        )
    _refuse_changed_files(folder, steps)
    try:
        return _chain(folder, steps)
    except (KeyError, TypeError, ValueError) as e:
        raise UserError("chain.json lacks a step", where=folder / FILE, got=repr(e), fix=AGAIN) from e


def _parsed(folder: Path) -> dict[str, Any]:
    try:
        steps = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise UserError(
            "this is not an exported model",
            where=folder,
            got=f"no {FILE} there",
            fix="name the folder that `cleanplate export OUT` wrote",
        ) from e
    except (OSError, ValueError) as e:
        raise UserError("chain.json cannot be read", where=folder / FILE, got=str(e), fix=AGAIN) from e
    return steps if isinstance(steps, dict) else {}


def _refuse_changed_files(folder: Path, steps: dict[str, Any]) -> None:
    """The networks must be the ones that were exported; what reads them trusts their content."""
    listed = steps.get("files")
    files: dict[str, str] = listed if isinstance(listed, dict) else {}
    for name, expected in files.items():
        inside = not Path(name).is_absolute() and ".." not in Path(name).parts
        path = folder / name
        got = hashlib.sha256(path.read_bytes()).hexdigest() if inside and path.is_file() else "no such file"
        if got != expected:
            raise UserError("a file of the export is missing or changed", where=path, got=got, fix=AGAIN)
    needed = [f"{kind}/{name}.{end}" for name in _networks(steps) for kind, end in FILES]
    if missing := [name for name in needed if name not in files]:
        raise UserError("chain.json does not list a network", where=folder / FILE, got=missing[0], fix=AGAIN)


def _networks(steps: dict[str, Any]) -> list[str]:
    names: list[str] = []
    for step in ("detect", "segment", "classify"):
        names += (steps.get(step) or {}).get("networks", [])
    if wrong := [name for name in names if not (isinstance(name, str) and NAME.fullmatch(name))]:
        raise UserError("a network has a name that cannot be a file's", got=wrong[0], fix=AGAIN)
    return names


def _chain(folder: Path, steps: dict[str, Any]) -> Chain:
    photo, compose, classify = steps["photo"], steps["compose"], steps["classify"]
    red, green, blue = (int(value) for value in photo["transparent_rgb"])
    return Chain(
        folder,
        PhotoRules(int(photo["max_pixels"]), int(photo["min_side"]), (red, green, blue)),
        steps["detect"],
        steps["segment"],
        Compose(
            float(compose["margin"]),
            int(compose["size"]),
            str(compose["fill"]),
            bool(compose["needs_matte"]),
            int(compose["seed"]),
        ),
        Classify(tuple(classify["networks"]), int(classify["size"]), str(classify["vote"])),
        float(steps["calibrate"]["temperature"]),
    )
