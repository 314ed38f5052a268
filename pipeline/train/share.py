"""A training that several processes share: each learns its part of every batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.params.learning import Train
from pipeline.train.config import resolve_config
from pipeline.train.data import Examples
from pipeline.train.loop import fit


@dataclass(frozen=True)
class SharedTraining:
    """One fold, trained by `train.processes` processes. Picklable.

    Args:
        load: reads what is learnt and what is validated, in the project's folder.
        train: the params section.
        fold: the fold held out.
        checkpoint: file to resume from, and to write after every epoch.
    """

    load: Callable[[], tuple[Examples, Examples]]
    train: Train
    fold: int
    checkpoint: Path

    @property
    def on_cpu(self) -> bool:
        """Whether it runs on CPUs."""
        return resolve_config(self.train).device.type == "cpu"

    def run(self) -> None:
        """Trains in this process, one of several that have found each other, to the end."""
        learn, valid = self.load()
        fit(learn, valid, resolve_config(self.train), self.fold, self.checkpoint, lambda _: None)
