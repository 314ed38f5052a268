"""Seconds, memory and GPU of what runs meanwhile."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import psutil

ASK_GPU = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")
EVERY = 0.5  # seconds between two looks


@dataclass
class Watched:
    """What was seen: `seconds` by the clock; `peak_bytes` of memory of all children together."""

    seconds: float = 0.0
    peak_bytes: int = 0
    busy: list[float] = field(default_factory=list)

    @property
    def gpu_busy(self) -> float | None:
        """Mean share of time in which the GPUs worked, 0 … 1; None without an NVIDIA GPU."""
        return statistics.fmean(self.busy) / 100 if self.busy else None


@contextmanager
def watched() -> Iterator[Watched]:
    """Watches this process's children until the block ends."""
    seen, over = Watched(), Event()
    has_gpu = shutil.which(ASK_GPU[0]) is not None

    def watch() -> None:
        while not over.wait(EVERY):
            seen.peak_bytes = max(seen.peak_bytes, _memory())
            if has_gpu:
                said = subprocess.run(ASK_GPU, capture_output=True, text=True, check=False).stdout.split()
                known = [float(share) for share in said if share.isdigit()]  # not "[N/A]"
                seen.busy.extend([statistics.fmean(known)] if known else [])

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    try:
        yield seen
    finally:
        seen.seconds = time.perf_counter() - started
        over.set()
        watcher.join()


def _memory() -> int:
    """Bytes that the children hold; what several of them share counts once (proportional set size)."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total
