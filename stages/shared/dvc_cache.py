"""Where DVC keeps what it caches."""

from __future__ import annotations

import configparser
from pathlib import Path


def dvc_setting(root: Path, section: str, key: str) -> str | None:
    """A setting of this repository: `.dvc/config.local` before `.dvc/config`; None where neither has it."""
    for name in ("config.local", "config"):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(root / ".dvc" / name, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        if parser.has_option(section, key):
            return parser.get(section, key).strip().strip("\"'")
    return None


def cache_folder(root: Path) -> Path:
    """DVC's cache of the repository at `root`; `cache.dir` in a config is relative to `.dvc`."""
    place = dvc_setting(root, "cache", "dir")
    return root / ".dvc" / (Path(place).expanduser() if place else Path("cache"))
