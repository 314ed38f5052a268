"""A Ray cluster: `machine.address`, or one that is started on this machine and ends with this process.

Workers are actors that load the function once. They take tasks of a quarter of a second each, some ahead, so
that handing over costs nothing; results come back in the order of the items (`pipeline.workers.cluster`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.params.machine import Machine
from pipeline.workers.cluster.connection import connect
from pipeline.workers.cluster.pool import Pool
from pipeline.workers.order import Work


def run(work: Work, machine: Machine) -> Iterator[Any]:
    """The results in order; see `pipeline.workers.engines`.

    Raises:
        UserError: Ray is not installed, or the cluster cannot be reached, refuses us, or is gone. A machine
            of it would give other results. A worker was killed twice by one item; names it.
    """
    if not work.items:
        return
    pool = Pool(connect(machine), work, machine)
    try:
        yield from pool.results()
    finally:
        pool.close()
