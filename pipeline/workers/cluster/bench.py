"""What one worker does: loads its function once, then runs it over the items of each task."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.io.parcel import Held, unpacked
from pipeline.io.spool import close_spools
from pipeline.runtime.errors import UserError
from pipeline.workers.cluster.pickles import PROTOCOL, Loader


class Outcome(NamedTuple):
    """Of one task: results of its first items, what stopped it, what is to be written, seconds at work."""

    results: list[Any]
    error: Exception | None
    written: list[Any]
    seconds: float


class Bench:
    """A worker's function and how to call it.

    Args:
        order: `(factory, same)` of a `Work`, from `dump_order`.
        main_module: the real name of the sender's `__main__`.
        root: the folder that holds `.cache` here.
    """

    def __init__(self, order: bytes, main_module: str, root: Path) -> None:
        self.loader = Loader({"__main__": main_module} if main_module else {}, root)
        factory, same = self.loader.load(order)
        self.facts = same()
        self.function = factory()

    def run(self, items: bytes, held: dict[str, Held] | None) -> bytes:
        """A pickled `Outcome`.

        Args:
            items: pickled list.
            held: the files that they read, where this worker does not see their folder.
        """
        start = time.perf_counter()
        results, error, written = [], None, []
        try:
            if held is None:
                self._run(items, results)
                close_spools()
            else:
                with unpacked(held) as written:
                    self._run(items, results)
        except Exception as e:
            error = e
        return dumped(Outcome(results, error, written, time.perf_counter() - start))

    def _run(self, items: bytes, results: list[Any]) -> None:
        for item in self.loader.load(items):
            results.append(self.function(item))  # noqa: PERF401


def dumped(outcome: Outcome) -> bytes:
    """The outcome pickled, also where its error cannot be."""
    try:
        return pickle.dumps(outcome, PROTOCOL)
    except Exception as e:
        cause = outcome.error or e
        error = UserError(f"unexpected {type(cause).__name__} in a worker: {cause}")
        return pickle.dumps(outcome._replace(results=[], error=error, written=[]), PROTOCOL)
