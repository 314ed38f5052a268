"""Linear probing, ten epochs from the beginning, against the same on a constant batch.

    python -m benchmarks.linear_probing PHOTO_FOLDER… [--limit 128] [--model resnet18] [--size 224]

The baseline asks the whole network in each step; it reads, decodes and gathers nothing, and its frozen part
has no gradient. `limit` is the number of epochs: what computing each picture's features once would bring if
the heads took no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.interleave import Row, compare
from benchmarks.training_input import (
    BATCH,
    Side,
    both,
    decoded_examples,
    measure,
    on_constant_batch,
    part_of,
)
from pipeline.params.learning import Train
from pipeline.train.config import resolve_config
from pipeline.train.data import Examples
from pipeline.train.frozen import FrozenPart
from pipeline.train.loop import one_epoch
from pipeline.train.start import Run, start

EPOCHS, TARGET = 10, 5.0


def run(photos: list[Path], limit: int = 128, model: str = "resnet18", size: int = 224) -> dict[str, Any]:
    """One row.

    Args:
        photos: files to choose from.
        limit: photos at most.
        model: timm name.
        size: pixels that the network sees.
    """
    photos = photos[:: max(1, len(photos) // limit)][:limit]
    params = Train(model=model, size=size, augment="none", mix="none", batch_size=BATCH, sampler="none")
    params = params.model_copy(update={"epochs": EPOCHS, "freeze_epochs": EPOCHS})
    config = resolve_config(params)
    with decoded_examples(photos, size) as examples:
        row: Row = compare(
            f"train, linear probing, {EPOCHS} epochs",
            on_constant_batch(start(examples, config, 0), examples, EPOCHS),
            probing(start(examples, config, 0), examples),
            list(range(len(photos))),
            agree=both,
            target=TARGET,
            blocks=4,
        )
        row["limit"] = float(EPOCHS)
    return {"photos": len(photos), "model": model, "size": size, "rows": [row]}


def probing(run: Run, examples: Examples) -> Side:
    """All epochs over some of the pictures, of which nothing is known before."""

    def work(items: Sequence[int]) -> list[bool]:
        run.frozen = FrozenPart(run.net, run.config)
        own = part_of(examples, np.asarray(items))
        for epoch in range(EPOCHS):
            one_epoch(run, own, epoch)
        return [True] * len(items)

    return work


def main() -> None:
    """The command line."""
    measure(run, __doc__, limit=128)


if __name__ == "__main__":
    main()
