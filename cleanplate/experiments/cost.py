"""The recorded cost of a variant: rerun stages, photos processed, seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cleanplate.experiments.revisions import Revision
from pipeline.io.atomic import write_json

SECONDS = Path(".cache/sweeps/seconds.json")
PHOTO_FOLDERS = {  # stage -> an output folder with one file per photo
    "detect": "build/images",
    "segment": "build/images",
    "compose": "build/images",
    "synthesize": "build/synthetic",
}
TABLES = 2  # the manifest and the table in such a folder
SHARDS = "data.shards"  # if set, the number of files is the number of shards


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
        photos = [_files(after, PHOTO_FOLDERS[s]) for s in changed if s in PHOTO_FOLDERS]
        if all(p is not None for p in photos):
            result["photos"] = sum(p or 0 for p in photos)
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


def _files(stages: dict[str, Any], folder: str) -> int | None:
    for stage in stages.values():
        packed = stage.get("params", {}).get("params.yaml", {}).get(SHARDS)
        for out in stage.get("outs", []):
            if out.get("path") == folder and "nfiles" in out and not packed:
                return max(0, int(out["nfiles"]) - TABLES)
    return None
