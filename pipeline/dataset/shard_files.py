"""Which files of a data folder are tar shards, and what else lies beside them."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.dataset.eval_table import TABLE as EVAL_TABLE
from pipeline.dataset.listing import Listing, is_picture, system_file_reason
from pipeline.dataset.safe_files import checked_folder
from pipeline.runtime.errors import UserError, printable

SPLIT_FOLDERS = ("train", "eval", "extra")
TAR = ".tar"
COMPRESSED = (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip")
OF_IMG2DATASET = (".parquet", "_stats.json")  # beside its shards


def find_shards(root: Path, table: str, listing: Listing) -> list[str]:
    """Paths of the shards below `root`; whatever else lies beside them goes into `listing`.

    Args:
        root: the data folder, resolved.
        table: `data.table`, which may lie beside them.

    Raises:
        UserError: there is none.
    """
    shards: list[str] = []
    for folder in ("", *SPLIT_FOLDERS):
        if folder and not (root / folder).is_dir():
            continue
        try:
            entries = sorted(p.name for p in checked_folder(root, folder).iterdir())
        except OSError as e:
            listing.quarantine(
                folder, f"it cannot be read ({e.strerror})", "make it readable, or copy it again"
            )
            continue
        for name in entries:
            path = f"{folder}/{name}" if folder else name
            if system := system_file_reason(name):
                listing.quarantine(path, *system)
            elif name.lower().endswith(COMPRESSED):
                listing.problems.append(
                    f"{path}: compressed; photos are read where they lie: unpack it to .tar"
                )
            elif name.lower().endswith(TAR):
                shards.append(path)
            elif deeper := _shards_below(root, path):
                listing.problems.append(
                    f"{path}: {len(deeper)} shards too deep, e.g. {printable(deeper[0])}: move them up, to "
                    f"the data folder or its {', '.join(SPLIT_FOLDERS)}"
                )
            elif not _is_known(root, path, table):
                reason = "neither a shard (*.tar) nor in one"
                listing.quarantine(path, reason, "pack it into a shard", is_picture(name))
    if not shards and not listing.problems:
        holds = ", ".join(map(printable, sorted(p.name for p in root.iterdir())[:10]))
        fix = "put shards there (*.tar), or set data.layout to folders or csv"
        raise UserError("the data folder has no shards", where=root, got=f"it holds {holds}", fix=fix)
    return shards


def _shards_below(root: Path, path: str) -> list[str]:
    """The shards in a folder that is none of the set's, as paths below `root`; no link is followed."""
    if path in SPLIT_FOLDERS:
        return []
    return sorted(
        os.path.relpath(f"{folder}/{name}", root)
        for folder, _, names in os.walk(root / path)
        for name in names
        if name.lower().endswith(TAR)
    )


def _is_known(root: Path, path: str, table: str) -> bool:
    """Whether the set may have this beside its shards."""
    place = root / path
    if place.is_dir():
        return path in SPLIT_FOLDERS or table.startswith(f"{path}/")
    return path in (table, EVAL_TABLE) or path.endswith(OF_IMG2DATASET)
