"""Progress of long loops: a bar on a terminal, an occasional line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import IO, TypeVar, cast

from pipeline.runtime.terminal import TerminalStream, ignore_closed_terminal

T = TypeVar("T")
LOG_SECONDS = 30.0


def say(text: str) -> None:
    """Prints one line to stderr, so that stdout stays usable in a pipe."""
    with ignore_closed_terminal():
        print(text, file=sys.stderr, flush=True)


def track(items: Iterable[T], total: int, label: str, unit: str = "photos") -> Iterator[T]:
    """Yields `items` and shows progress, rate and remaining time.

    A bar on a terminal; elsewhere, and where rich is not installed, one line every 30 s.
    """
    if sys.stderr.isatty() and find_spec("rich"):
        yield from _bar(items, total, label, unit)
    else:
        yield from _lines(items, total, label, unit)


def _bar(items: Iterable[T], total: int, label: str, unit: str) -> Iterator[T]:
    # imported late: a tenth of a second, and `cleanplate predict` runs without rich
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    console = Console(file=cast(IO[str], TerminalStream()))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=total, rate="")
        start = time.monotonic()
        for n, item in enumerate(items, 1):
            yield item
            seconds = max(time.monotonic() - start, 1e-9)
            progress.update(task, completed=n, rate=f"{n / seconds:.1f} {unit}/s")


def _lines(items: Iterable[T], total: int, label: str, unit: str) -> Iterator[T]:
    start = last = time.monotonic()
    for n, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_SECONDS:
            last = now
            rate = n / (now - start)
            say(f"{label}: {n}/{total} {unit}, {rate:.1f}/s, {(total - n) / max(rate, 1e-9):.0f} s left")


PARTS = ("decode", "arithmetic", "encode and write")


def throughput_line(
    stage: str, count: int, unit: str, seconds: float, spent: Sequence[float], hits: int = 0
) -> str:
    """One line about throughput and its bottleneck.

    Args:
        stage: its name.
        count: pictures written.
        unit: their name.
        seconds: wall-clock time.
        spent: seconds in each of `PARTS`, summed over workers.
        hits: how many of them came from the result cache.
    """
    cached = f", {hits} of them from the cache" if hits else ""
    total = max(sum(spent), 1e-9)
    shares = ", ".join(f"{name} {part / total:.0%}" for name, part in zip(PARTS, spent, strict=True))
    bound = PARTS[max(range(len(PARTS)), key=lambda i: spent[i])]
    return f"{stage}: {count} {unit}{cached}, {count / max(seconds, 1e-9):.0f}/s, bound by {bound} ({shares})"
