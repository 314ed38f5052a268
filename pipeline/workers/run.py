"""One function over many items on the workers of `machine.engine`, results in the order of the items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from pipeline.io.parcel import Source
from pipeline.params.machine import Machine
from pipeline.runtime.plugins import load_plugin
from pipeline.workers.order import Work, nothing_compared, nothing_read

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_parallel(
    factory: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    *,
    machine: Machine,
    chunk: int = 8,
    name: Callable[[Item], str] = str,
    reads: Callable[[Item], Iterable[Source]] = nothing_read,
    same: Callable[[], dict[str, Any]] = nothing_compared,
    needs: Sequence[str] = (),
) -> Iterator[Result]:
    """Yields `factory()(item)` for each item, in order, the same whatever `machine` says.

    Args:
        factory: picklable; called once by each worker to load what it needs (a network, a table).
        items: picklable, small (paths, rows), not pixels.
        machine: the params section: engine, its address and number of workers.
        chunk: items that are worth one hand-over.
        name: how to call an item in an error.
        reads: the files that an item needs, for workers on machines that do not see them.
        same: picklable; returns JSON values on which a result depends and that a machine decides, e.g. the
            precision that its processor has. A machine that answers otherwise is refused.
        needs: folders of the project that every worker reads, by their paths in it.

    Raises:
        UserError: there is no such engine, it cannot start, or a worker was killed; names its items.
        Exception: whatever `factory()(item)` raises.
    """
    engine = load_plugin("workers.engines", machine.engine)
    yield from engine.run(Work(factory, items, chunk, name, reads, same, needs), machine)
