"""Linear probing, ten epochs from the beginning, against the same on a constant batch.

    python -m benchmarks.linear_probing PHOTO_FOLDER… [--limit 128] [--model resnet18] [--size 224]

The baseline asks the whole network in each step; it reads, decodes and gathers nothing, and its frozen part
has no gradient. `limit` is the number of epochs: what computing each picture's features once would bring if
the heads took no time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.interleave import Row, compare, table
from benchmarks.training_input import Side, arguments, both, examples_of, part_of
from pipeline.io.image_store import ImageStore
from pipeline.objective.objective import target_of
from pipeline.params.learning import Train
from pipeline.train.config import resolve_config
from pipeline.train.data import Examples
from pipeline.train.decoded import decoded
from pipeline.train.frozen import FrozenPart, freeze
from pipeline.train.loop import one_epoch
from pipeline.train.network import to_images
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
    params = Train(model=model, size=size, augment="none", mix="none", batch_size=32, sampler="none")
    params = params.model_copy(update={"epochs": EPOCHS, "freeze_epochs": EPOCHS})
    config = resolve_config(params)
    with tempfile.TemporaryDirectory() as cache:
        names = [photo.absolute().relative_to("/").as_posix() for photo in photos]
        array, _ = decoded(ImageStore(Path("/")), names, size, Path(cache))
        examples = examples_of(array, names)
        constant = on_constant_batch(start(examples, config, 0), examples)
        ours = probing(start(examples, config, 0), examples)
        items = list(range(len(photos)))
        row: Row = compare(
            f"train, linear probing, {EPOCHS} epochs",
            constant,
            ours,
            items,
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


def on_constant_batch(run: Run, examples: Examples) -> Side:
    """As many steps of the heads on one batch that is ready, through the whole network."""
    params, device = run.config.train, run.accelerator.device
    rows = np.arange(params.batch_size)
    images = to_images(examples.pictures.gather(rows), device)
    target = target_of(examples.classes[rows], examples.years[rows], device)

    def work(items: Sequence[int]) -> list[bool]:
        run.model.train()
        freeze(run.net, params, 0)
        for _ in range(EPOCHS * max(1, round(len(items) / params.batch_size))):
            loss = run.objective.loss(run.model(images).float(), target)
            run.accelerator.backward(loss)
            run.optimizer.step()
            run.optimizer.zero_grad()
        return [True] * len(items)

    return work


def main() -> None:
    """The command line."""
    given, photos = arguments(__doc__, limit=128)
    result = run(photos, given.limit, given.model, given.size)
    print(table(result["rows"]))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
