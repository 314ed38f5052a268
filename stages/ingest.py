"""Finds the photos and their raw labels; unusable files go to the quarantine with a reason."""

from __future__ import annotations

import time

from pipeline.dataset.extra import is_extra
from pipeline.dataset.ingest import IngestResult, ingest_photos, list_data, refuse_large_quarantine
from pipeline.io.tables import write_csv
from pipeline.runtime.errors import printable
from pipeline.runtime.progress import say
from stages.shared.artefacts import EVAL, INDEX, PHOTOS
from stages.shared.command import Stage, stage_command

MAX_NOTES = 20


def run(stage: Stage) -> None:
    """Writes build/index.parquet, build/photos.parquet, build/eval.parquet and build/quarantine.csv."""
    params = stage.params
    root, listing = list_data(params.data, stage.limit)
    begun = time.monotonic()
    result = ingest_photos(root, listing, params.ingest, stage.result_cache, params.machine)
    if result.hits == 0:
        stage.measured(time.monotonic() - begun, len(listing.photos))
    quarantine = stage.out("build/quarantine.csv")
    write_csv(quarantine, result.quarantine)
    report_result(result)
    if stage.limit is None:  # shares mean little with only a few people
        refuse_large_quarantine(result, params.ingest.max_quarantine, quarantine)
    INDEX.write(stage.out(INDEX.path), result.index)
    PHOTOS.write(stage.out(PHOTOS.path), result.photos)
    EVAL.write(stage.out(EVAL.path), result.eval)


def report_result(result: IngestResult) -> None:
    """Logs the notes, then one line about used and quarantined files."""
    for note in result.notes[:MAX_NOTES]:
        say(f"ingest: note: {printable(note)}")
    if len(result.notes) > MAX_NOTES:
        say(f"ingest: note: … and {len(result.notes) - MAX_NOTES} more")
    train = result.index[result.index["split"] == "train"]
    photos = {printable(a.path) for a in result.rejected_photos}
    others = int((~result.quarantine["path"].isin(photos)).sum())
    extra = int(is_extra(train["person"].unique()).sum())
    of_extra = f" ({extra} of them extra)" if extra else ""
    say(
        f"ingest: {len(train)} photos of {train['person'].nunique()} people{of_extra} to train on, "
        f"{len(result.index) - len(train)} of {len(result.eval)} to predict; "
        f"quarantined: {len(result.rejected_photos)} photo files, {others} other paths"
    )


if __name__ == "__main__":
    stage_command("ingest", run, __doc__ or "")
