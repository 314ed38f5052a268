"""What a path is given and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

Device = Literal["cpu", "cuda"]


class NotHere(Exception):
    """What a path needs is not on this machine; says what."""


@dataclass(frozen=True)
class Outcome:
    """What became of a path.

    Args:
        agreement: with the CPU's answers, 0 … 1; `least` of it is ok.
        rate: photos a second; 0 where nothing was timed.
        what: was computed, for the table.
    """

    agreement: float
    least: float
    rate: float
    what: str

    @property
    def ok(self) -> bool:
        return bool(self.agreement >= self.least)


@dataclass(frozen=True)
class Material:
    """What the paths work on.

    Args:
        root: a folder that may be filled; it holds `.cache`, and `data` and `mattes` of the demo.
        photos: uint8 [H, W, 3] RGB, of drawn people.
        device: to be tried.
    """

    root: Path
    photos: list[np.ndarray]
    device: Device


Attempt = Callable[[Material], Outcome]


def timed(work: Callable[[Sequence[Any]], list[Any]], items: Sequence[Any]) -> tuple[list[Any], float]:
    """The answers about all items, and items per second; asked once before, unmeasured."""
    work(items)
    begun = time.perf_counter()
    answers = work(items)
    return answers, len(items) / max(time.perf_counter() - begun, 1e-9)
