"""Two ways of doing the same work, measured fairly on a machine that may be busy.

The items are cut into blocks; each block is done by both sides, one right after the other, in turns first.
What else runs on the machine then slows both. The ratio is the median over blocks; the ratio per CPU-second
counts the CPU time of this process and all its children. Both sides do the first block once before,
unmeasured.

On a busy machine threads that wait for one another (the baseline's) lose more than single ones: a ratio for
the record needs a quiet machine.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypedDict, TypeVar

import psutil

from pipeline.runtime.process import keep_freed_memory, worker_count

Item = TypeVar("Item")
A = TypeVar("A")
B = TypeVar("B")


class Row(TypedDict):
    """One line of the table.

    `baseline`, `ours`: items/s; `ratio_cpu`: per CPU-second, None where nobody counted it; `agreement`: mean
    over items, 0 … 1, None where it would mean nothing; `limit`: the ratio that the machine would
    allow (`benchmarks/limit.py`), None where nobody asked.
    """

    name: str
    baseline: float
    ours: float
    ratio: float
    ratio_cpu: float | None
    agreement: float | None
    target: float
    limit: float | None
    met: bool


def compare(
    name: str,
    baseline: Callable[[Sequence[Item]], Sequence[A]],
    ours: Callable[[Sequence[Item]], Sequence[B]],
    items: Sequence[Item],
    *,
    agree: Callable[[A, B], float],
    target: float,
    least_agreement: float = 0.995,
    blocks: int = 6,
    most: float | None = None,
) -> Row:
    """Measures both sides on all items.

    Args:
        baseline, ours: do a block of items and give one result each, in order.
        agree: agreement of two results of an item, 0 … 1.
        target: least ratio.
        least_agreement: least mean agreement; below it the ratio counts for nothing.
        blocks: turns that each side takes.
        most: items/s that the machine allows.
    """
    size = -(-len(items) // blocks)
    parts = [items[i : i + size] for i in range(0, len(items), size)]
    baseline(parts[0])
    ours(parts[0])
    clock = {"baseline": [], "ours": []}
    cpu = {"baseline": 0.0, "ours": 0.0}
    same: list[float] = []
    for turn, part in enumerate(parts):
        results: dict[str, Sequence[Any]] = {}
        sides = [("baseline", baseline), ("ours", ours)]
        for side, work in sides if turn % 2 == 0 else sides[::-1]:
            started, used = time.perf_counter(), _cpu_seconds()
            results[side] = work(part)
            clock[side].append(time.perf_counter() - started)
            cpu[side] += _cpu_seconds() - used
        pairs = zip(results["baseline"], results["ours"], strict=True)
        same.extend(float(agree(a, b)) for a, b in pairs)
    ratio = statistics.median(b / o for b, o in zip(clock["baseline"], clock["ours"], strict=True))
    agreement, rate = statistics.fmean(same), len(items) / sum(clock["baseline"])
    return Row(
        name=name,
        baseline=rate,
        ours=len(items) / sum(clock["ours"]),
        ratio=ratio,
        ratio_cpu=cpu["baseline"] / max(cpu["ours"], 1e-9),
        agreement=agreement,
        target=target,
        limit=None if most is None else most / rate,
        met=ratio >= target and agreement >= least_agreement,
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as text, one line each under a head."""
    width = max((len(row["name"]) for row in rows), default=4)
    head = f"{'name':{width}}  baseline/s    ours/s   ratio  per CPU-s  agreement  target   limit"
    lines = [
        f"{r['name']:{width}}  {r['baseline']:10.1f}  {r['ours']:8.1f}  {r['ratio']:5.1f}x"
        f"  {shown(r['ratio_cpu'], 1, 'x'):>9}  {shown(r['agreement'], 4):>9}"
        f"  {r['target']:5.1f}x  {shown(r['limit'], 1, 'x'):>6}  {'met' if r['met'] else 'MISSED'}"
        for r in rows
    ]
    return "\n".join([head, *lines])


def shown(value: float | None, digits: int, unit: str = "") -> str:
    """A number, or a dash for none."""
    return "-" if value is None else f"{value:.{digits}f}{unit}"


@contextmanager
def processes(
    factory: Callable[[], Callable[[Item], B]], workers: int | None = None, chunk: int = 8
) -> Iterator[Callable[[Sequence[Item]], list[B]]]:
    """A side made of processes of one thread that stay: as the engine `local`, over many blocks.

    `factory` is called once in each process, and each is warm when the block begins. `chunk` items are handed
    over at a time, as in a stage, and fewer towards the block's end: a stage has thousands of photos and no
    process without one, while in a block of a dozen waiting for the last part costs a quarter of the time.
    """
    count = worker_count(workers)
    keep_freed_memory()
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _start, (factory, context.Barrier(count))) as pool:
        for ready in [pool.submit(_ready) for _ in range(count)]:
            ready.result()

        def work(items: Sequence[Item]) -> list[B]:
            ends = [0]
            while ends[-1] < len(items):
                left = len(items) - ends[-1]
                ends.append(ends[-1] + max(1, min(chunk, left // (2 * count))))
            parts = (items[start:end] for start, end in pairwise(ends))
            return [b for part in pool.map(_run, parts) for b in part]

        yield work


_work: Callable[[Any], Any] | None = None
_barrier: Any = None


def _start(factory: Callable[[], Callable[[Any], Any]], barrier: Any) -> None:
    global _work, _barrier
    _work, _barrier = factory(), barrier


def _ready() -> None:
    """Ends when every process has come here, each with its networks loaded."""
    _barrier.wait()


def _run(items: Sequence[Any]) -> list[Any]:
    assert _work is not None
    return [_work(item) for item in items]


def _cpu_seconds() -> float:
    """User + system time so far of this process and its living children."""
    total = 0.0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        try:
            used = process.cpu_times()
        except psutil.Error:
            continue
        total += used.user + used.system
    return total
