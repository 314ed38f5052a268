"""Recognises links into DVC's cache: photos tracked by DVC may be such links."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

OBJECT = re.compile(r"(?:files/md5/)?[0-9a-f]{2}/[0-9a-f]{30}")  # of DVC 3; without the first part, of DVC 2


def is_cached(real: str, data: Path) -> bool:
    """Whether a resolved path is an object in the cache of the project, or of the repository around `data`.

    A repository at or below `data` is ignored: its configuration is as untrusted as the data folder.
    """
    if not OBJECT.fullmatch("/".join(real.split("/")[-2:])):
        return False
    return any(
        real.startswith(f"{cache}/") and OBJECT.fullmatch(real.removeprefix(f"{cache}/"))
        for cache in _caches(Path.cwd(), data)
    )


@functools.cache
def _caches(project: Path, data: Path) -> list[str]:
    around = next((p for p in data.parents if (p / ".dvc").is_dir()), project)
    return [cache for folder in dict.fromkeys((project, around)) if (cache := _cache_of(folder))]


def _cache_of(folder: Path) -> str:
    """DVC's cache of the repository around `folder`, resolved; "" if there is none.

    Runs `dvc`, which takes a second, instead of importing it: only data folders with such links need it.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "cache", "dir"],
        cwd=folder,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )
    place = done.stdout.strip()
    return os.path.realpath(folder / place) if done.returncode == 0 and place else ""
