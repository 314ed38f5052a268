"""Atomic writes: files and folders are written under a temporary name, then renamed.

A folder gets a `MANIFEST.json` (number of files, bytes, digest of names and sizes) as its last file, and
`verified_folder` refuses a folder that does not match it. Outputs may be hard links into DVC's cache, so
nothing is ever written in place.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.runtime.disk import disk_full_error, is_disk_full
from pipeline.runtime.errors import UserError

MANIFEST = "MANIFEST.json"
_temp_dir: Path | None = None


def use_temp_dir(folder: Path) -> None:
    """Makes `folder` this process's folder for temporary files, and empties it.

    This keeps partial files of killed stages out of the output folders, where they would stay if DVC restored
    the outputs from its cache without running the stage.
    """
    global _temp_dir
    _remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _temp_dir = folder


def _prepare_temp(path: Path) -> Path:
    """Creates the parent folder of `path`; returns the temporary path to write to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        if is_disk_full(e, path.parent):
            raise disk_full_error(path) from e
        raise
    return _temp_path(path)


def _temp_path(path: Path) -> Path:
    """A path in the temporary folder if that is on the same disk as `path`, else beside `path`."""
    usable = _temp_dir is not None and _temp_dir.is_dir()  # False after a change to another project
    if _temp_dir and usable and _temp_dir.stat().st_dev == path.parent.stat().st_dev:
        place = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]
        return _temp_dir / f".{place}-{path.name[-100:]}.{os.getpid()}.part"
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def atomic_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yields a temporary path; on success it is synced and renamed to `path`.

    Args:
        sync: False for files that readers verify and can recreate after a power cut.

    Raises:
        UserError: the disk is full; `path` is unchanged.
    """
    part = _prepare_temp(path)
    try:
        yield part
        if sync:
            with part.open("rb") as f:
                os.fsync(f.fileno())
        part.replace(path)
    except Exception as e:
        if is_disk_full(e, path.parent):
            raise disk_full_error(path) from e
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields an empty temporary folder; on success it gets its manifest and becomes `path`.

    Raises:
        UserError: the disk is full; `path` is unchanged.
    """
    part = _prepare_temp(path)
    try:
        remove_partial_files(path)
        part.mkdir()
        yield part
        manifest = json.dumps(summarize_folder(part), indent=1, sort_keys=True) + "\n"
        (part / MANIFEST).write_text(manifest, encoding="utf-8")
        old = _temp_path(path).with_suffix(".old")
        if path.exists() or path.is_symlink():
            path.rename(old)
        part.rename(path)
        _remove(old)
    except Exception as e:
        if is_disk_full(e, path.parent):
            raise disk_full_error(path) from e
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_partial_files(path: Path) -> None:
    """Removes partial files of killed runs beside `path`. Call with the stage's lock held."""
    for left in path.parent.glob(f".{path.name}.*"):
        if left.suffix in (".part", ".old"):
            _remove(left)


def _remove(path: Path) -> None:
    """Removes a folder and its contents, a file, or a link, but never the target of a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def summarize_folder(folder: Path) -> dict[str, Any]:
    """`{"files", "bytes", "sha256"}` of `folder` without its manifest; sha256 over names and sizes."""
    rows: list[tuple[str, int]] = []
    stack = [folder]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(Path(entry.path))
                elif entry.name != MANIFEST:
                    rows.append((os.path.relpath(entry.path, folder), entry.stat().st_size))
    rows.sort()
    digest = hashlib.sha256()
    for name, size in rows:
        digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))
    return {"files": len(rows), "bytes": sum(s for _, s in rows), "sha256": digest.hexdigest()}


def verified_folder(path: Path, stage: str) -> Path:
    """`path`, if the folder matches its manifest.

    Raises:
        UserError: the folder is missing, incomplete or edited; names `stage` as the one to run.
    """
    if not path.is_dir():
        raise UserError("an input folder is missing", where=path, fix=f"run `dvc repro {stage}`")
    try:
        expected = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise UserError(
            "an input folder has no readable manifest, so it may be incomplete",
            where=path / MANIFEST,
            got=str(e),
            fix=f"run `dvc repro --force {stage}`",
        ) from e
    actual = summarize_folder(path)
    if actual != expected:
        raise UserError(
            "an input folder does not match its manifest",
            where=path,
            got=f"{actual['files']} files, {actual['bytes']} bytes",
            allowed=f"{expected.get('files')} files, {expected.get('bytes')} bytes as written",
            fix=f"run `dvc checkout --force` or `dvc repro --force {stage}`",
        )
    return path


def write_json(path: Path, value: object) -> None:
    """Writes JSON with keys in the given order and a final newline."""
    with atomic_file(path) as part:
        part.write_text(
            json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )


def write_report(path: Path, metrics: Mapping[str, float | int | None], details: object) -> None:
    """Writes a stage's report as JSON: the numbers that `dvc metrics` compares, and the rest in `details`.

    DVC counts every number of a metrics file as a metric, except inside lists; hence `details` is a list with
    one entry.
    """
    write_json(path, {**metrics, "details": [details]})


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text with `\\n` line ends on every platform."""
    with atomic_file(path) as part:
        part.write_bytes(text.encode("utf-8", "surrogateescape"))
