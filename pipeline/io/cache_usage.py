"""Size and hit rate of the result cache, and pruning it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROWS = "rows.jsonl"  # the small results of one pass under one identity
USAGE = "usage.json"  # hits and misses by pass
DRAWN = ("compose", "synthesize")  # passes that run no network


@dataclass(frozen=True)
class Usage:
    """The entries of one pass, over all its identities, and its hits and misses so far."""

    name: str
    entries: int
    bytes: int
    identities: int
    hits: int
    misses: int

    @property
    def hit_rate(self) -> float:
        """Hits per look-up, 0 to 1; 0 where nothing was looked up."""
        return self.hits / max(1, self.hits + self.misses)


def stats(cache_folder: Path) -> list[Usage]:
    """One `Usage` for each pass, by name. `cache_folder`: of all passes (`Stage.result_cache`)."""
    usage = read_usage(cache_folder)
    folders = [p for p in cache_folder.iterdir() if p.is_dir()] if cache_folder.is_dir() else []
    names = sorted({p.name.rpartition("-")[0] for p in folders} | set(usage))
    result = []
    for name in names:
        own = [p for p in folders if p.name.rpartition("-")[0] == name]
        entries = [entry for folder in own for entry in _entries(folder)]
        count = sum(1 for path, _ in entries if Path(path).name != ROWS)
        count += sum(_line_count(folder / ROWS) for folder in own)
        counts = usage.get(name, {"hits": 0, "misses": 0})
        size = sum(stat.st_size for _, stat in entries)
        result.append(Usage(name, count, size, len(own), counts["hits"], counts["misses"]))
    return result


def prune(cache_folder: Path, gigabytes: float) -> int:
    """Removes entries until at most `gigabytes` (10^9) are left; returns the bytes.

    Pictures that are soon drawn again go first, then what networks said, each by its last use. The rows of
    one identity go together.
    """
    folders = [p for p in cache_folder.iterdir() if p.is_dir()] if cache_folder.is_dir() else []
    entries = [entry for folder in folders for entry in _entries(folder)]
    remaining = sum(stat.st_size for _, stat in entries)
    removed = 0
    if remaining <= gigabytes * 1e9:
        return removed
    for name, stat in sorted(entries, key=_order):
        if remaining <= gigabytes * 1e9:
            break
        path = Path(name)
        path.unlink(missing_ok=True)
        remaining -= stat.st_size
        removed += stat.st_size
        if path.name != ROWS and not any(path.parent.iterdir()):
            _remove_empty(path.parent)
    return removed


def read_usage(cache_folder: Path) -> dict[str, dict[str, int]]:
    """Hits and misses by pass; nothing where the record is missing or damaged."""
    try:
        raw = json.loads((cache_folder / USAGE).read_text(encoding="utf-8"))
        return {str(k): {"hits": int(v["hits"]), "misses": int(v["misses"])} for k, v in raw.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def as_json(usage: Usage) -> dict[str, Any]:
    """For a command that prints it."""
    return {**asdict(usage), "hit_rate": usage.hit_rate}


def _order(entry: tuple[str, os.stat_result]) -> tuple[bool, int, str]:
    path, stat = entry
    drawn = Path(path).parent.parent.name.rpartition("-")[0] in DRAWN
    return not drawn, max(stat.st_atime_ns, stat.st_mtime_ns), path


def _entries(folder: Path) -> list[tuple[str, os.stat_result]]:
    """Rows and files, without the identity and locks; paths as text, as there are a hundred thousand."""
    entries: list[tuple[str, os.stat_result]] = []
    for place in (folder, *(p for p in folder.iterdir() if p.is_dir())):
        try:
            with os.scandir(place) as found:
                files = [entry for entry in found if place != folder or entry.name == ROWS]
                entries += [(entry.path, stat) for entry in files if (stat := _stat(entry))]
        except FileNotFoundError:
            continue
    return entries


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except FileNotFoundError:  # another process has just pruned it
        return None


def _line_count(path: Path) -> int:
    return sum(1 for line in path.read_bytes().split(b"\n") if line) if path.is_file() else 0


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # another process just added an entry
