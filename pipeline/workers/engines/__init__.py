"""Engines: one file = one value of `machine.engine`.

Each file offers `run(work, machine)`, a generator of `function(item)` for each item, in the order of the
items, where `function` is what `work.factory()` returned in the worker (`pipeline.workers.order.Work`;
`machine` is the params section). For every engine:

- the results are the same, byte for byte, whatever runs where; an item may run twice, its worker was killed;
- few results are ahead of the caller, so that memory is bounded whatever the number of items;
- what `function(item)` raises reaches the caller as it was; a worker killed again and again is a `UserError`
  that names the items;
- when the generator is closed, by an error or Ctrl-C too, no worker of it is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from pipeline.params.machine import Machine
from pipeline.workers.order import Work


class Engine(Protocol):
    """The shape of a file in this folder; see the text above."""

    def run(self, work: Work, machine: Machine) -> Iterator[Any]: ...
