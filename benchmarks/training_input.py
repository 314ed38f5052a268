"""Training fed by the decoded cache, against a constant batch and against the loop that teams write.

    python -m benchmarks.training_input PHOTO_FOLDER… [--limit 384] [--model resnet18] [--size 224]

Row 1: the training loop as a share of the same loop on one batch that never changes; what is missing to 1
is gathering and augmentation. Row 2: the loop of a team: PIL opens each photo, torchvision transforms one
picture at a time in the loop, float32, nothing overlaps; same network, same augmentation, same optimiser.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.interleave import Row, compare, table
from pipeline.io.image_store import ImageStore
from pipeline.objective.objective import target_of
from pipeline.params.learning import Train
from pipeline.train.config import resolve_config
from pipeline.train.data import Examples, Pictures, keys_of
from pipeline.train.decoded import decoded
from pipeline.train.frozen import freeze
from pipeline.train.loop import one_epoch
from pipeline.train.network import make_classifier, to_images
from pipeline.train.start import Run, start

RECIPE, BATCH = "flip_affine_blur", 32
CONSTANT_TARGET, TEAM_TARGET = 0.9, 3.0
Side = Callable[[Sequence[int]], list[bool]]


def run(photos: list[Path], limit: int = 384, model: str = "resnet18", size: int = 224) -> dict[str, Any]:
    """The two rows.

    Args:
        photos: files to choose from.
        limit: photos at most.
        model: timm name.
        size: pixels that the network sees.
    """
    photos = photos[:: max(1, len(photos) // limit)][:limit]
    params = Train(model=model, size=size, augment=RECIPE, mix="none", batch_size=BATCH, epochs=1000)
    config = resolve_config(params)
    rows: list[Row] = []
    with decoded_examples(photos, size) as examples:
        ours = looped(start(examples, config, 0), examples)
        constant = on_constant_batch(start(examples, config, 0), examples)
        items = list(range(len(photos)))
        share = "train, share of a constant batch"
        rows.append(compare(share, constant, ours, items, agree=both, target=CONSTANT_TARGET, blocks=4))
        team = as_teams_do(photos, examples, params)
        rows.append(
            compare("train, team's loop", team, ours, items, agree=both, target=TEAM_TARGET, blocks=4)
        )
    return {"photos": len(photos), "model": model, "size": size, "rows": rows}


def examples_of(array: np.ndarray, names: Sequence[str]) -> Examples:
    """The pictures with classes that are made up: speed does not depend on them."""
    count = len(array)
    return Examples(
        pictures=Pictures((array,)),
        rows=np.arange(count),
        classes=np.arange(count) % 18,
        years=np.full(count, 40, np.float32),
        keys=keys_of(names, 0),
        eyes=np.full((count, 4), np.nan, np.float32),
        alike=np.arange(count),
        weights=np.ones(count),
    )


@contextmanager
def decoded_examples(photos: Sequence[Path], size: int) -> Iterator[Examples]:
    """The photos as examples, from a decoded cache of their own."""
    names = [photo.absolute().relative_to("/").as_posix() for photo in photos]
    with tempfile.TemporaryDirectory() as cache:
        array, _ = decoded(ImageStore(Path("/")), names, size, Path(cache))
        yield examples_of(array, names)


def part_of(examples: Examples, rows: np.ndarray) -> Examples:
    """Some of the examples."""
    names = ("rows", "classes", "years", "keys", "eyes", "alike", "weights")
    return replace(examples, **{name: getattr(examples, name)[rows] for name in names})


def looped(run: Run, examples: Examples) -> Side:
    """Cleanplate's own epoch."""

    def work(items: Sequence[int]) -> list[bool]:
        one_epoch(run, part_of(examples, np.asarray(items)), 0)
        return [True] * len(items)

    return work


def on_constant_batch(run: Run, examples: Examples, epochs: int = 1) -> Side:
    """The same steps of so many epochs on one batch that is ready, through the whole network."""
    size, device = run.config.train.batch_size, run.accelerator.device
    images = to_images(examples.pictures.gather(np.arange(size)), device)
    target = target_of(examples.classes[:size], examples.years[:size], device)

    def work(items: Sequence[int]) -> list[bool]:
        run.model.train()
        freeze(run.net, run.config.train, 0)
        for _ in range(epochs * max(1, round(len(items) / size))):
            loss = run.objective.loss(run.model(images).float(), target)
            run.accelerator.backward(loss)
            run.optimizer.step()
            run.optimizer.zero_grad()
        return [True] * len(items)

    return work


def as_teams_do(photos: Sequence[Path], examples: Examples, params: Train) -> Side:
    """One picture at a time through PIL and torchvision, then a float32 step."""
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.Resize((params.size, params.size)),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.RandomAffine(0, (0.1, 0.1), (0.9, 1.1), 8)]),
            v2.RandomApply([v2.RandomRotation(20)]),
            v2.RandomApply([v2.GaussianBlur(7, (0.1, 1.5))], 0.3),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    net = make_classifier(resolve_config(params)).net.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.AdamW(net.parameters(), params.lr)

    def work(items: Sequence[int]) -> list[bool]:
        for i in range(0, len(items), params.batch_size):
            batch = items[i : i + params.batch_size]
            images = torch.stack([transform(Image.open(photos[k]).convert("RGB")) for k in batch])
            classes = torch.from_numpy(examples.classes[np.asarray(batch)]) % 8
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(images), classes).backward()
            optimizer.step()
        return [True] * len(items)

    return work


def both(baseline: bool, ours: bool) -> float:
    """Both learnt the picture."""
    return float(baseline and ours)


def measure(run: Callable[[list[Path], int, str, int], dict[str, Any]], doc: str | None, limit: int) -> None:
    """The command line of a benchmark of training: runs it on the photos in the folders, prints its rows."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--limit", type=int, default=limit)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    given = parser.parse_args()
    suffixes = (".jpg", ".jpeg", ".png")
    photos = sorted(p for folder in given.folders for p in folder.rglob("*") if p.suffix in suffixes)
    if min(len(photos), given.limit) < BATCH:
        parser.error(f"{len(photos)} photos, --limit {given.limit}: at least {BATCH} are needed")
    result = run(photos, given.limit, given.model, given.size)
    print(table(result["rows"]))
    print(json.dumps(result, indent=1))


def main() -> None:
    """The command line."""
    measure(run, __doc__, limit=384)


if __name__ == "__main__":
    main()
