"""Which files of a data folder are tar shards, and what else lies beside them."""

from __future__ import annotations

from pathlib import Path

from pipeline.dataset.eval_table import TABLE as EVAL_TABLE
from pipeline.dataset.listing import Listing, is_picture, system_file_reason
from pipeline.dataset.safe_files import checked_folder
from pipeline.runtime.errors import UserError, printable

SPLIT_FOLDERS = ("train", "eval", "extra")
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
            elif name.endswith(".tar"):
                shards.append(path)
            elif not _is_known(root, path, table):
                reason = "neither a shard (*.tar) nor in one"
                fix = "pack it into a shard, or move shards up, beside the others"
                listing.quarantine(path, reason, fix, is_picture(name))
    if not shards and not listing.problems:
        holds = ", ".join(map(printable, sorted(p.name for p in root.iterdir())[:10]))
        fix = "put shards there (*.tar), or set data.layout to folders or csv"
        raise UserError("the data folder has no shards", where=root, got=f"it holds {holds}", fix=fix)
    return shards


def _is_known(root: Path, path: str, table: str) -> bool:
    if path in (*SPLIT_FOLDERS, table, EVAL_TABLE, "train/train.csv"):
        return True
    place = root / path
    return table.startswith(f"{path}/") if place.is_dir() else path.endswith(OF_IMG2DATASET)
