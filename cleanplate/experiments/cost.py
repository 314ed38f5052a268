"""The recorded cost of a variant: rerun stages, photos processed, seconds."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from cleanplate.experiments.revisions import Revision
from pipeline.io.atomic import write_json
from pipeline.runtime.errors import UserError

SECONDS = Path(".cache/sweeps/seconds.json")
PHOTO_TABLES = {  # stage -> a table with a row for each picture
    "detect": "build/images/images.parquet",
    "segment": "build/images/images.parquet",
    "compose": "build/images/images.parquet",
    "synthesize": "build/synthetic/synthetic.parquet",
}


def measure_cost(reference: Revision, variant: Revision) -> dict[str, Any]:
    """`{"stages": [...], "photos": n, "seconds": s}`; omits unrecorded keys.

    `stages` have other deps or params than the reference's, so its results could not be reused; `photos` is
    the number of pictures that they read, per stage; `seconds` is the time of `cleanplate sweep --run`, with
    the caches of that moment.
    """
    result: dict[str, Any] = {}
    before, after = (r.yaml("dvc.lock").get("stages", {}) for r in (reference, variant))
    if before and after:
        changed = [s for s in after if _inputs(before.get(s)) != _inputs(after[s])]
        result["stages"] = changed
        counted = [PHOTO_TABLES[s] for s in changed if s in PHOTO_TABLES]
        rows = {table: _rows(_read(variant, table)) for table in set(counted)}
        if None not in rows.values():
            result["photos"] = sum(rows[table] or 0 for table in counted)
    seconds = recorded_seconds().get(variant.commit or "")
    if seconds is not None:
        result["seconds"] = seconds
    return result


def record_seconds(commit: str, seconds: float) -> None:
    """Records the duration of the experiment with this commit."""
    write_json(SECONDS, recorded_seconds() | {commit: round(seconds, 1)})


def recorded_seconds() -> dict[str, float]:
    """Seconds per commit of an experiment."""
    try:
        return dict(json.loads(SECONDS.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _inputs(stage: dict[str, Any] | None) -> Any:
    return stage and (stage.get("cmd"), stage.get("deps"), stage.get("params"))


def _read(revision: Revision, path: str) -> bytes | None:
    """A file of a revision, or None: a comparison must not end for a column about its cost."""
    try:
        return revision.read(path)
    except UserError:
        return None


def _rows(table: bytes | None) -> int | None:
    """Rows of a parquet table from its footer."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        return None if table is None else pq.read_metadata(io.BytesIO(table)).num_rows
    except ArrowException:
        return None
