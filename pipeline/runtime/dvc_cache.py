"""Where DVC keeps what it caches, as its own configuration says.

That is `.dvc/config`, `.dvc/config.local`, and those of the user and the machine (`dvc config --global`,
`--system`, DVC_GLOBAL_CONFIG_DIR, DVC_SYSTEM_CONFIG_DIR). `dvc.config` alone is imported, and only when the
question comes up: a quarter of a second, where all of DVC takes a whole one.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

from pipeline.runtime.errors import UserError

OBJECT = re.compile(r"(?:files/md5/)?[0-9a-f]{2}/[0-9a-f]{30}")  # DVC 3; without the first part, DVC 2


def dvc_settings(root: Path) -> dict[str, Any]:
    """DVC's configuration of the repository at `root`, all levels of it: section → key → value.

    Raises:
        UserError: DVC refuses it.
    """
    from dvc.config import Config, ConfigError

    try:
        return dict(Config(str(root / ".dvc")))
    except ConfigError as e:
        raise UserError(
            "DVC cannot read its configuration", where=root / ".dvc", got=str(e), fix="`dvc config --list`"
        ) from e


def cache_folder(root: Path) -> Path:
    """DVC's cache of the repository at `root`, as `dvc cache dir` prints it.

    Raises:
        UserError: DVC refuses its configuration.
    """
    settings = dvc_settings(root)
    cache = settings["cache"]
    remote = settings["remote"].get(cache["local"], {}) if cache.get("local") else {}
    place = remote.get("url") or cache.get("dir")
    return Path(place) if place else root / ".dvc" / "cache"


def is_cached(real: str, data: Path) -> bool:
    """Whether a resolved path is an object in the cache of the project, or of the repository around `data`.

    A repository that begins at or below `data` is not asked: whoever fills the data folder could write
    anything into its configuration.
    """
    if not OBJECT.fullmatch("/".join(real.split("/")[-2:])):
        return False
    caches = (f"{cache}/" for cache in _caches(Path(os.environ.get("DVC_ROOT", Path.cwd())), data))
    return any(real.startswith(c) and OBJECT.fullmatch(real.removeprefix(c)) for c in caches)


@functools.cache
def _caches(project: Path, data: Path) -> tuple[str, ...]:
    around = next((p for p in data.parents if (p / ".dvc").is_dir()), project)
    return tuple({os.path.realpath(cache_folder(root)): None for root in (project, around)})
