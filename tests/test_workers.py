"""Workers: results in order, whatever the count; a killed worker is named, never waited for."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from pipeline.errors import UserError
from pipeline.workers import run_parallel


def square() -> Callable[[int], int]:
    return lambda n: n * n


def killed_at_13() -> Callable[[int], int]:
    def work(n: int) -> int:
        if n == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    return work


def fails_at_5() -> Callable[[int], int]:
    def work(n: int) -> int:
        if n == 5:
            raise UserError("five is out", where="item 5")
        return n

    return work


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order(workers: int) -> None:
    assert list(run_parallel(square, list(range(50)), workers=workers)) == [n * n for n in range(50)]


def test_a_killed_worker_is_an_error_that_names_its_item() -> None:
    with pytest.raises(UserError, match="item-13"):
        list(run_parallel(killed_at_13, list(range(20)), workers=2, chunk=4, name=lambda n: f"item-{n}"))


def test_an_error_in_a_worker_reaches_the_caller_as_it_was() -> None:
    with pytest.raises(UserError, match="five is out"):
        list(run_parallel(fails_at_5, list(range(20)), workers=2, chunk=2))


def test_no_items_need_no_worker() -> None:
    assert list(run_parallel(square, [])) == []
