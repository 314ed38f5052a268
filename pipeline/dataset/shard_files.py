"""Which files of a data folder are tar shards, and what else lies beside them."""

from __future__ import annotations

import posixpath

from pipeline.dataset.data_folder import Root, files_below, is_folder, names_in
from pipeline.dataset.eval_table import TABLE as EVAL_TABLE
from pipeline.dataset.listing import Listing, is_picture, system_file_reason
from pipeline.dataset.safe_files import name_problem
from pipeline.io.system_files import is_system
from pipeline.io.url_folder import UrlFolder
from pipeline.runtime.errors import UserError, printable

SPLIT_FOLDERS = ("train", "eval", "extra")
TAR = ".tar"
COMPRESSED = (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip")
OF_IMG2DATASET = (".parquet", "_stats.json")  # beside its shards


def find_shards(root: Root, table: str, by_table: bool, listing: Listing) -> list[str]:
    """Paths of the shards below `root`; whatever else lies beside them goes into `listing`.

    Args:
        root: the data folder.
        table: `data.table`, which may lie beside them.
        by_table: whether it does.
        listing: what is added to.

    Raises:
        UserError: there is none.
    """
    shards: list[str] = []
    for folder in ("", *SPLIT_FOLDERS):
        if folder and not is_folder(root, folder):
            continue
        try:
            entries = names_in(root, folder)
        except OSError as e:
            listing.problems.append(
                f"{folder or root}: it cannot be read ({e.strerror}): make it readable, or copy it here"
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
                if problem := _tar_problem(root, path):
                    listing.problems.append(problem)
                else:
                    shards.append(path)
            elif path == EVAL_TABLE and by_table:
                reason = f"not read: {table} has the photos to predict, in their order"
                listing.quarantine(path, reason, "nothing to do; it is left out", counts=False)
            elif deeper := _shards_below(root, path):
                listing.problems.append(
                    f"{path}: {len(deeper)} shards too deep, e.g. {printable(deeper[0])}: move them up, to "
                    f"the data folder or its {', '.join(SPLIT_FOLDERS)}"
                )
            elif not _is_known(root, path, table):
                reason = "neither a shard (*.tar) nor in one"
                listing.quarantine(path, reason, "pack it into a shard", is_picture(name))
    if not shards and not listing.problems:
        holds = ", ".join(map(printable, names_in(root, "")[:10]))
        fix = "put shards there (*.tar), or set data.layout to folders or csv"
        raise UserError("the data folder has no shards", where=root, got=f"it holds {holds}", fix=fix)
    return shards


def _tar_problem(root: Root, path: str) -> str:
    """Why a path that is named like a shard cannot be one; "" if it may be."""
    if problem := name_problem(path):
        return f"{printable(path)}: {problem}; rename it"
    if isinstance(root, UrlFolder) and ("::" in path or any(c in path for c in "?#")):
        return f"{path}: its name means something else in a URL (::, ?, #); rename it"
    if is_folder(root, path):
        return f"{path}: a folder that is named like a shard; pack it to a tar, or rename it"
    return ""


def _shards_below(root: Root, path: str) -> list[str]:
    """The shards in a folder that is none of the set's, as paths below `root`; no link is followed."""
    if path in SPLIT_FOLDERS:
        return []
    tars = (file for file in files_below(root, path) if file.lower().endswith(TAR))
    return [file for file in tars if not is_system(posixpath.basename(file))]


def _is_known(root: Root, path: str, table: str) -> bool:
    """Whether the set may have this beside its shards."""
    if is_folder(root, path):
        return path in SPLIT_FOLDERS or table.startswith(f"{path}/")
    return path in (table, EVAL_TABLE) or path.endswith(OF_IMG2DATASET)
