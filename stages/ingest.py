"""Finds the photos and their raw labels; what cannot be used goes to the quarantine with its reason."""

from __future__ import annotations

import time

from pipeline.dataset.ingest import Taken, list_data, open_photos, refuse_many
from pipeline.io.tables import write_csv
from pipeline.runtime.errors import printable
from pipeline.runtime.progress import say
from stages.shared.artefacts import EVAL, INDEX, PHOTOS
from stages.shared.command import Stage, stage_command

NOTES = 20  # shown; more are counted


def run(stage: Stage) -> None:
    """Writes build/index.parquet, build/photos.parquet, build/eval.parquet and build/quarantine.csv."""
    params = stage.params
    root, listing = list_data(params.data, stage.limit)
    begun = time.monotonic()
    taken = open_photos(root, listing, params.ingest, params.machine.workers)
    stage.measured(time.monotonic() - begun, len(listing.photos))
    quarantine = stage.out("build/quarantine.csv")
    write_csv(quarantine, taken.quarantine)
    tell(taken)
    if stage.limit is None:  # a quick look at a few people says little about shares
        refuse_many(taken, params.ingest.max_quarantine, quarantine)
    INDEX.write(stage.out(INDEX.path), taken.index)
    PHOTOS.write(stage.out(PHOTOS.path), taken.photos)
    EVAL.write(stage.out(EVAL.path), taken.eval)


def tell(taken: Taken) -> None:
    """One line of what came in and what was set aside, after whatever deserves a look."""
    for note in taken.notes[:NOTES]:
        say(f"ingest: note: {printable(note)}")
    if len(taken.notes) > NOTES:
        say(f"ingest: note: … and {len(taken.notes) - NOTES} more")
    train = taken.index[taken.index["split"] == "train"]
    others = len(taken.quarantine) - len(taken.refused)
    say(
        f"ingest: {len(train)} photos of {train['person'].nunique()} people to train on, "
        f"{len(taken.index) - len(train)} of {len(taken.eval)} to predict; "
        f"set aside: {len(taken.refused)} photo files, {others} other paths"
    )


if __name__ == "__main__":
    stage_command("ingest", run, __doc__ or "")
