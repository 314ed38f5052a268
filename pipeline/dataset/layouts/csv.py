"""`data.layout: csv`: a table lists the photos and their labels (pipeline/dataset/photo_table.py).

`image` is a path below ROOT. Files that are not in the table are ignored.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.dataset.disk_names import DiskNames
from pipeline.dataset.listing import Listing
from pipeline.dataset.photo_table import list_table
from pipeline.params.preparation import Data


def read(root: Path, data: Data, limit: int | None) -> Listing:
    """Lists the photos of the table; ingest finds missing ones when it opens them.

    Args:
        root: the data folder, resolved.
        data: the params section; `data.table` is the table's path below `root`.
        limit: take only the first `limit` people, as many extra ones, and `limit` photos to predict.

    Raises:
        UserError: there is no such table.
    """
    return list_table(root, data.table, DiskNames(root), limit)
