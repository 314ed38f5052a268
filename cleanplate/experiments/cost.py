"""What a variant cost, as far as it was recorded: stages run anew, photos that these looked at, seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cleanplate.experiments.revisions import Revision
from pipeline.io.atomic import write_json

SECONDS = Path(".cache/sweeps/seconds.json")
FOLDER_OF = {  # per stage that goes through photos: the output folder with one file per photo
    "detect": "build/images",
    "segment": "build/images",
    "compose": "build/images",
    "synthesize": "build/synthetic",
}
TABLES = 2  # in such a folder: the manifest and the table
SHARDS = "data.shards"  # where it is set, the files of such a folder are shards, and say nothing


def cost(reference: Revision, variant: Revision) -> dict[str, Any]:
    """`{"stages": [...], "photos": n, "seconds": s}`; a key is missing where nothing was recorded.

    `stages` are those whose deps or params differ from the reference's, so that its results could not be
    used again; `photos` is how many pictures these read, counted once per stage; `seconds` is how long
    `cleanplate sweep --run` took for it, with whatever was in the caches then.
    """
    found: dict[str, Any] = {}
    before, after = (r.yaml("dvc.lock").get("stages", {}) for r in (reference, variant))
    if before and after:
        anew = [s for s in after if _inputs(before.get(s)) != _inputs(after[s])]
        found["stages"] = anew
        photos = [_files(after, FOLDER_OF[s]) for s in anew if s in FOLDER_OF]
        if all(p is not None for p in photos):
            found["photos"] = sum(p or 0 for p in photos)
    seconds = recorded_seconds().get(variant.commit or "")
    if seconds is not None:
        found["seconds"] = seconds
    return found


def record_seconds(commit: str, seconds: float) -> None:
    """Remembers how long the experiment with this commit took."""
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
