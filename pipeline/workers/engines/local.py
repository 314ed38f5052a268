"""The cores of this machine: spawned processes of one thread each."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any

from pipeline.params.machine import Machine
from pipeline.runtime.disk import explain_shared_memory
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import die_with_parent, keep_freed_memory, worker_count
from pipeline.workers.order import Work

AHEAD = 4  # chunks in flight per worker: enough to hide the hand-over, few enough to bound memory

_work: Callable[[Any], Any] | None = None
_slot: int = -1
_slots: Any = None


def run(work: Work, machine: Machine) -> Iterator[Any]:
    """The results in order; see `pipeline.workers.engines`. One worker runs in this process.

    Raises:
        UserError: a worker process was killed; names the items that were being worked on. Or the system
            has no room in /dev/shm for what several processes share.
    """
    items, chunk = work.items, work.chunk
    count = min(worker_count(machine.workers), max(1, -(-len(items) // chunk)))
    if count == 1:
        function = work.factory()
        yield from (function(item) for item in items)
        return
    keep_freed_memory()
    context = multiprocessing.get_context("spawn")
    with explain_shared_memory("machine.workers"):
        slots = context.Array("q", [-1] * count)
        taken = context.Value("i", 0)
    threads = {k: os.environ.get(k) for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(threads, "1"))  # N processes x 1 thread beat 1 x N
    try:
        begin = (work.factory, slots, taken, os.getpid())
        with explain_shared_memory("machine.workers"):
            workshop = ProcessPoolExecutor(count, context, _start, begin)
        with workshop as pool:
            try:
                yield from _in_order(pool, work, count * AHEAD)
            except BrokenProcessPool as e:
                raise _worker_lost([work.name(items[i]) for i in slots if i >= 0]) from e
            except KeyboardInterrupt:
                for process in list(pool._processes.values()):
                    process.kill()
                raise
            except BaseException:
                # waits for the chunks at hand: one whose pool vanishes while it starts prints a traceback
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    finally:
        for key, value in threads.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _in_order(pool: ProcessPoolExecutor, work: Work, ahead: int) -> Iterator[Any]:
    waiting: deque[Future[list[Any]]] = deque()
    items, chunk, needs_main = work.items, work.chunk, _needs_main(work)
    for start in range(0, len(items), chunk):
        with _no_interrupts(), nullcontext() if needs_main else _without_main():
            waiting.append(pool.submit(_run, start, list(items[start : start + chunk])))
        if len(waiting) >= ahead:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


def _needs_main(work: Work) -> bool:
    """Whether the function is defined in the script that runs, or the first item: all are of one type."""
    return b"__main__" in pickle.dumps((work.factory, work.items[:1]))


@contextmanager
def _without_main() -> Iterator[None]:
    """Spares the processes started meanwhile the import of the script that runs.

    A stage imports pandas and more that its workers need not have; half of their start goes into it.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Lets processes started meanwhile never see Ctrl-C: they would each print a traceback.

    They inherit the blocked signal; this process gets it afterwards, and kills them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(factory: Callable[[], Callable[[Any], Any]], slots: Any, taken: Any, parent: int) -> None:
    global _work, _slot, _slots
    die_with_parent()
    if os.getppid() != parent:  # it was killed while this process was starting, before anybody watched it
        os._exit(1)
    _slots = slots
    with taken.get_lock():
        _slot = taken.value
        taken.value += 1
    _work = factory()


def _run(start: int, items: list[Any]) -> list[Any]:
    assert _work is not None
    results = []
    for i, item in enumerate(items, start):
        _slots[_slot] = i
        results.append(_work(item))
    _slots[_slot] = -1
    return results


def _worker_lost(names: list[str]) -> UserError:
    return UserError(
        "a worker process was killed, probably because memory ran out",
        where=", ".join(names) or "while it was starting",
        fix="look at these photos, free memory, or lower `machine.workers` in params.yaml",
    )
