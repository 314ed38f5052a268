"""The training state, written after every epoch, so that an interrupted training can resume.

Kept outside the stage's outputs, which are removed before it runs again. What random numbers a step uses
follows from seed, epoch and picture alone, so no generator's state has to be kept.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipeline.io.atomic import atomic_file

State = dict[str, torch.Tensor]


@dataclass
class Best:
    """The best epoch of what is trained together: highest validation macro-F1, at a tie the lower loss."""

    score: float = -1.0
    loss: float = float("inf")
    epoch: int = -1
    state: State = field(default_factory=dict)

    def beaten_by(self, score: float, loss: float) -> bool:
        return (score, -loss) > (self.score, -self.loss)


@dataclass
class Progress:
    """Everything that the next epoch depends on.

    Args:
        epoch: epochs that are done.
        parts: state dicts of network, optimiser, schedule, and averaged weights and gradient scaler if used.
        bests: the best epoch and its weights of each task of `Classifier.prefixes`: `class` where everything
            is trained together; mask, gender and age where each has a network of its own.
        score: validation macro-F1 over the 18 classes of the weights in `bests`; of several networks known
            only when the training has ended.
        history: one row of curves for each epoch done.
        finished: the training ended (all epochs, or early stopping).
        device: `cpu` or `cuda`, where it ran.
    """

    epoch: int = 0
    parts: dict[str, Any] = field(default_factory=dict)
    bests: dict[str, Best] = field(default_factory=dict)
    score: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False
    device: str = ""

    @property
    def state(self) -> State:
        """The weights that are kept: of each network those of its own best epoch."""
        return {name: tensor for best in self.bests.values() for name, tensor in best.state.items()}

    @property
    def best_epoch(self) -> int:
        """The last epoch, from 0, in which any network became better; -1 before the first."""
        return max((best.epoch for best in self.bests.values()), default=-1)

    def save(self, path: Path) -> None:
        """Replaces `path` in one go."""
        whole = {**vars(self), "bests": {task: vars(best) for task, best in self.bests.items()}}
        with atomic_file(path) as part:
            torch.save(whole, part)

    @staticmethod
    def load(path: Path) -> Progress | None:
        """What `save` wrote, or None where there is nothing that can be read."""
        try:
            whole = torch.load(path, map_location="cpu", weights_only=True)
            return Progress(
                **{**whole, "bests": {task: Best(**best) for task, best in whole["bests"].items()}}
            )
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError):
            return None
