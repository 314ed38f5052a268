"""The path of DVC's cache and of what is in it, from DVC's configuration.

That is `.dvc/config`, `.dvc/config.local`, and the user's and the system's (`dvc config --global`,
`--system`, DVC_GLOBAL_CONFIG_DIR, DVC_SYSTEM_CONFIG_DIR). Imports only `dvc.config`, on demand: a quarter of
a second, against a second for all of DVC.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.runtime.errors import UserError


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


def object_folders(cache: Path) -> tuple[Path, Path]:
    """The object folders of DVC 3 and DVC 2."""
    return cache / "files" / "md5", cache


def object_path(cache: Path, md5: str, legacy: bool) -> Path:
    """The cache path of an md5; `legacy`: in the layout of DVC 2."""
    return object_folders(cache)[legacy] / md5[:2] / md5[2:]


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
