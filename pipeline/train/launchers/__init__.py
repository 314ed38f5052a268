"""Launchers: one file = one value of `machine.engine`, as in `pipeline/workers/engines/`.

Each file offers `launch(training, machine)`, which runs `training` in `training.train.processes` processes
that average their gradients, and returns when it has ended; `training.checkpoint` then holds the finished
progress. For every launcher:

- scores are those of one process but for rounding;
- a checkpoint is there after every epoch, and an interrupted training resumes from it;
- a process that fails is a `UserError`, and no other is left.
"""

from __future__ import annotations

from typing import Protocol

from pipeline.params.machine import Machine
from pipeline.train.share import SharedTraining


class Launcher(Protocol):
    """The shape of a file in this folder; see the text above."""

    def launch(self, training: SharedTraining, machine: Machine) -> None: ...
