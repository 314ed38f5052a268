"""How much the result cache holds and how often it was of use; and making room in it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROWS = "rows.jsonl"  # the small results of one pass under one identity
USAGE = "usage.json"  # hits and misses by pass


@dataclass(frozen=True)
class Usage:
    """What is kept of one pass, over all its identities, and how often it was of use since the beginning."""

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


def stats(items: Path) -> list[Usage]:
    """One `Usage` for each pass, by name. `items` is the folder of all passes (`Stage.result_cache`)."""
    usage = read_usage(items)
    folders = [p for p in items.iterdir() if p.is_dir()] if items.is_dir() else []
    names = sorted({p.name.rpartition("-")[0] for p in folders} | set(usage))
    result = []
    for name in names:
        own = [p for p in folders if p.name.rpartition("-")[0] == name]
        entries = [entry for folder in own for entry in _entries(folder)]
        count = sum(1 for path, _ in entries if path.name != ROWS)
        count += sum(_line_count(folder / ROWS) for folder in own)
        told = usage.get(name, {"hits": 0, "misses": 0})
        size = sum(stat.st_size for _, stat in entries)
        result.append(Usage(name, count, size, len(own), told["hits"], told["misses"]))
    return result


def prune(items: Path, gigabytes: float) -> int:
    """Removes what was not used for longest until at most `gigabytes` (10^9) are left; returns bytes removed.

    The rows of one identity go together. Outputs that are links to removed files stay what they are.
    """
    folders = [p for p in items.iterdir() if p.is_dir()] if items.is_dir() else []
    entries = [entry for folder in folders for entry in _entries(folder)]
    left = sum(stat.st_size for _, stat in entries)
    removed = 0
    for path, stat in sorted(entries, key=lambda e: (max(e[1].st_atime_ns, e[1].st_mtime_ns), str(e[0]))):
        if left <= gigabytes * 1e9:
            break
        path.unlink(missing_ok=True)
        left -= stat.st_size
        removed += stat.st_size
        if path.name != ROWS and not any(path.parent.iterdir()):
            _remove_empty(path.parent)
    return removed


def read_usage(items: Path) -> dict[str, dict[str, int]]:
    """Hits and misses by pass; nothing where the record is missing or damaged."""
    try:
        raw = json.loads((items / USAGE).read_text(encoding="utf-8"))
        return {str(k): {"hits": int(v["hits"]), "misses": int(v["misses"])} for k, v in raw.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def as_json(usage: Usage) -> dict[str, Any]:
    """For a command that prints it."""
    return {**asdict(usage), "hit_rate": usage.hit_rate}


def _entries(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """What counts against the size: rows and files, not the identity and locks."""
    found: list[tuple[Path, os.stat_result]] = []
    for path in (
        folder / ROWS,
        *(p for shard in folder.iterdir() if shard.is_dir() for p in shard.iterdir()),
    ):
        try:
            found.append((path, path.stat()))
        except FileNotFoundError:
            continue
    return found


def _line_count(path: Path) -> int:
    return sum(1 for line in path.read_bytes().split(b"\n") if line) if path.is_file() else 0


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # another process just put something there
