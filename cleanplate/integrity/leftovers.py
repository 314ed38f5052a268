"""What killed processes leave behind: half-written files, locks of DVC that nobody holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cleanplate.experiments.git import git
from cleanplate.integrity.dvc_records import is_own, object_folders
from stages.shared.dvc_cache import cache_folder, dvc_settings

PART = re.compile(r"^\..+\.(\d+)\.(part|old)$")
TOPS = ("build", "reports", "quick", "demo", ".cache")
TRANSFER = re.compile(r"\.[A-Za-z0-9_-]{22}\.tmp$")  # DVC's own temporary names


@dataclass(frozen=True)
class Ailment:
    """Something that is not well, what mends it, and how that is done (None: only a person can)."""

    what: str
    remedy: str
    mend: Callable[[], None] | None = None


def at_work(root: Path) -> list[str]:
    """Commands of living processes: stages in this folder or below, and DVC anywhere in the git repository.

    An experiment of a neighbouring project detaches the same HEAD.
    """
    here = root.resolve()
    repository = Path(git("-C", str(root), "rev-parse", "--show-toplevel").rstrip("\n") or here)
    own = {psutil.Process().pid, *(p.pid for p in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            place = Path(process.cwd())
            if process.pid in own or not place.is_relative_to(repository):
                continue
        except (psutil.Error, OSError):
            continue
        names = {Path(part).name for part in command[:3]}
        is_stage = place.is_relative_to(here) and any(part.startswith("stages.") for part in command)
        if "dvc" in names or is_stage:
            found.append(f"{process.pid}: {' '.join(command)[:100]}")
    return found


def half_written(root: Path) -> list[Ailment]:
    """Temporary names of processes that live no more, of ours and of DVC's cache."""
    found = []
    places = [p for top in TOPS for p in sorted((root / top).rglob(".*"))]
    kept = cache_folder(root)
    for path in places:
        match = PART.match(path.name)
        if match and is_own(root, path) and not psutil.pid_exists(int(match[1])):
            found.append(Ailment(f"half-written: {path}", "removes it", lambda p=path: _remove(p)))
    found += [
        Ailment(f"a transfer that was cut short: {path}", "removes it", lambda p=path: _remove(p))
        for folder in object_folders(kept)
        for path in sorted((*folder.glob("*.tmp"), *folder.glob("??/*.tmp")))
        if TRANSFER.search(path.name) and kept.resolve() in path.resolve().parents
    ]
    return found


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def stale_locks(root: Path) -> list[Ailment]:
    """Locks of DVC whose holder is dead. Call when nothing is at work here: then every one is stale."""
    found = []
    for path in (root / ".dvc/tmp/rwlock", root / ".dvc/tmp/exps/rwlock"):
        holders = _holders(path)
        if holders is None:
            found.append(Ailment(f"a lock file of DVC is damaged: {path}", "removes it", path.unlink))
        elif holders:
            shown = ", ".join(str(pid) for pid in sorted(holders))
            what = f"a lock of DVC is held by a dead process ({shown}): {path}"
            found.append(Ailment(what, "frees it", lambda p=path: _freed(p)))
    if dvc_settings(root)["core"].get("hardlink_lock"):
        found += [
            Ailment(f"a lock of DVC that nobody holds: {path}", "removes it", path.unlink)
            for path in (root / ".dvc/tmp/lock", root / ".dvc/tmp/rwlock.lock")
            if path.exists()
        ]
    return found


def _holders(path: Path) -> set[int] | None:
    """Process ids in a read-write lock of DVC; None where it is no JSON of that form."""
    if not path.exists():
        return set()
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        readers = [info for infos in raw.get("read", {}).values() for info in infos]
        return {int(info["pid"]) for info in (*raw.get("write", {}).values(), *readers)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _freed(path: Path) -> None:
    path.write_text("{}", encoding="utf-8")
