"""Leftovers of killed processes: partial files and stale DVC locks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cleanplate.experiments.dvc_internals import BESIDE_OTHERS
from cleanplate.experiments.git import git
from cleanplate.integrity.dvc_records import is_in_project
from stages.shared.dvc_cache import cache_folder, dvc_settings, object_folders

PART_NAME = re.compile(r"^\..+\.(\d+)\.(part|old)$")
OUTPUT_FOLDERS = ("build", "reports", "quick", "demo", ".cache")
TRANSFER_NAME = re.compile(r"\.[A-Za-z0-9_-]{22}\.tmp$")  # DVC's own temporary names


@dataclass(frozen=True)
class Problem:
    """A fault, its remedy in words, and the function that repairs it (None: only a person can)."""

    what: str
    remedy: str
    repair: Callable[[], None] | None = None


def running_commands(root: Path) -> list[str]:
    """Running commands: stages in this folder or below, and DVC anywhere in the git repository.

    DVC anywhere counts because an experiment of a neighbouring project detaches the same HEAD.
    """
    project = root.resolve()
    repository = Path(git("-C", str(root), "rev-parse", "--show-toplevel").rstrip("\n") or project)
    own = {psutil.Process().pid, *(p.pid for p in psutil.Process().parents())}
    commands = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            place = Path(process.cwd())
            if process.pid in own or not place.is_relative_to(repository):
                continue
        except (psutil.Error, OSError):
            continue
        names = {Path(part).name for part in command[:3]}
        is_stage = place.is_relative_to(project) and any(part.startswith("stages.") for part in command)
        if names & {"dvc", BESIDE_OTHERS.name} or is_stage:
            commands.append(f"{process.pid}: {' '.join(command)[:100]}")
    return commands


def half_written(root: Path) -> list[Problem]:
    """Temporary files of dead processes, ours and those in DVC's cache."""
    problems = []
    places = [p for top in OUTPUT_FOLDERS for p in sorted((root / top).rglob(".*"))]
    cache = cache_folder(root)
    for path in places:
        match = PART_NAME.match(path.name)
        if match and is_in_project(root, path) and not psutil.pid_exists(int(match[1])):
            problems.append(Problem(f"partial file: {path}", "removes it", lambda p=path: _remove(p)))
    problems += [
        Problem(f"interrupted transfer: {path}", "removes it", lambda p=path: _remove(p))
        for folder in object_folders(cache)
        for path in sorted((*folder.glob("*.tmp"), *folder.glob("??/*.tmp")))
        if TRANSFER_NAME.search(path.name) and cache.resolve() in path.resolve().parents
    ]
    return problems


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def stale_locks(root: Path) -> list[Problem]:
    """DVC locks of dead processes. Call only while nothing runs here: then every lock is stale."""
    problems = []
    for path in (root / ".dvc/tmp/rwlock", root / ".dvc/tmp/exps/rwlock"):
        holders = _holders(path)
        if holders is None:
            problems.append(Problem(f"a lock file of DVC is damaged: {path}", "removes it", path.unlink))
        elif holders:
            shown = ", ".join(str(pid) for pid in sorted(holders))
            what = f"a lock of DVC is held by a dead process ({shown}): {path}"
            problems.append(Problem(what, "frees it", lambda p=path: _empty_lock(p)))
    if dvc_settings(root)["core"].get("hardlink_lock"):
        problems += [
            Problem(f"a lock of DVC that nobody holds: {path}", "removes it", path.unlink)
            for path in (root / ".dvc/tmp/lock", root / ".dvc/tmp/rwlock.lock")
            if path.exists()
        ]
    return problems


def _holders(path: Path) -> set[int] | None:
    """Process ids in a read-write lock of DVC; None if it is damaged."""
    if not path.exists():
        return set()
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        readers = [info for infos in raw.get("read", {}).values() for info in infos]
        return {int(info["pid"]) for info in (*raw.get("write", {}).values(), *readers)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _empty_lock(path: Path) -> None:
    path.write_text("{}", encoding="utf-8")
